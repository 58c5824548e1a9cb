import { Failure } from "../../../src/domain/failure.ts";
import { assert } from "@std/assert";
import { openSftpChannel } from "../../../src/methods/sftp/sftp_channel.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";

const signal = new AbortController().signal;

Deno.test({
  name: "run() does not take a command for one that worked when its error text was cut off",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    // Answers fences as sftp does; its server then says more than is kept of the error output.
    const script = `while IFS= read -r line; do
      echo "sftp> $line"
      case "$line" in
        -lcd*) echo "Couldn't change local directory to \${line#-lcd }: No such file" >&2 ;;
        *) echo "remote rename: Failure" >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2 ;;
      esac
    done`;
    const destination = { name: "nas", timeoutMs: 300_000, transport: { host: "nas", user: null, port: null } };
    await using channel = await openSftpChannel({ program: "/bin/sh", args: ["-c", script] }, destination, createSystem());
    await rejectsWith(() => channel.run(["-rename -l a b"], { idleTimeoutMs: 60_000 }, signal), ["interrupted"]);
    assert(channel.lost instanceof Failure);
  },
});
