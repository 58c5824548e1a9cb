/** What rsync and scp do beside each other before a batch: links here, a staging folder there. */
import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { rsync } from "../../src/methods/rsync/rsync.ts";
import { scp } from "../../src/methods/scp/scp.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { ignoreBytes, noise, STAGING, upload } from "../conformance/rig.ts";
import { needs } from "../support/needs.ts";
import { openBench } from "./bench.ts";

const signal = new AbortController().signal;

for (const method of [rsync, scp]) {
  Deno.test(
    `${method.name}: a staging folder that cannot be made while links are still being made fails as that, and leaves no link`,
    needs("sshd", "rsync"),
    async () => {
      await using it = await openBench(method);
      const real = createSystem();
      const session = await it.connect({}, {
        async symlink(target, path) {
          await real.sleep(1, signal);
          await real.symlink(target, path);
        },
      });
      await it.folder.write(`base/${STAGING}/a1`, "a file where the folder should be");
      const source = await it.source("a", noise(100));
      const uploads = Array.from({ length: 1_000 }, (_, index) => upload(source, index, "a1"));
      await assertRejects(() => session.put(uploads, ignoreBytes, signal), Failure);
      await session[Symbol.asyncDispose]();
      assertEquals((await Array.fromAsync(Deno.readDir(it.folder.at("work")))).map(({ name }) => name), []);
    },
  );
}
