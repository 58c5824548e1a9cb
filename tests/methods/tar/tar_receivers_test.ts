/** What the far end of a tar stream makes of what the disk there says while it flushes beside the hash. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { receiverCommand } from "../../../src/methods/tar/tar_receivers.ts";
import { tempFolder } from "../../support/temp.ts";

const COMMAND = receiverCommand({ flags: "-xmo", after: null, ahead: 0, tools: { hash: ["sha256sum"], flush: "sync -f" } });

for (
  const [what, said, code] of [
    ["a file system that cannot flush", "error syncing './1': Invalid argument", 0],
    ["a disk that fails", "error syncing './1': Input/output error", 94],
    ["a disk that fails beside files that cannot be flushed", "'./2': Invalid argument\n'./1': Input/output error", 94],
    ["a program that fails without a word", "", 94],
  ] as const
) {
  Deno.test(`the far end of tar ends with ${code} after ${what}`, { ignore: Deno.build.os === "windows" }, async () => {
    await using folder = await tempFolder();
    const [bin, staging] = [join(folder.path, "bin"), join(folder.path, ".image-transfer-test", "a1")];
    for (const made of [bin, staging]) await Deno.mkdir(made, { recursive: true });
    await Deno.writeTextFile(join(staging, "..", "said"), said);
    await Deno.writeTextFile(join(bin, "sync"), `#!/bin/sh\ncat ../said >&2\nexit 1\n`, { mode: 0o755 });
    const child = new Deno.Command("sh", {
      args: ["-c", COMMAND],
      env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    for (const name of ["1", "2"]) await Deno.writeTextFile(join(staging, name), "bytes");
    const [{ stdout }] = await Promise.all([
      child.output(),
      new Response(`${staging}\nunpack-and-hash\n` + "\0".repeat(10240)).body!.pipeTo(child.stdin),
    ]);
    const isDone = new TextDecoder().decode(stdout).endsWith("image-transfer: done\n");
    assertEquals([(await child.status).code, isDone], [code, code === 0]);
    // Who hears of it may be gone by now, and the next flush of these files would succeed.
    assertEquals((await Array.fromAsync(Deno.readDir(staging))).length, code === 0 ? 2 : 0);
  });
}
