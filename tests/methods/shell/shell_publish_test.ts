import { assertEquals } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { shellPublish } from "../../../src/methods/shell/shell_names.ts";
import type { ShellTools } from "../../../src/methods/shell/shell_tools.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { publication } from "../../conformance/rig.ts";

const signal = new AbortController().signal;
const TOOLS: ShellTools = {
  hash: ["sha256sum"],
  perl: true,
  stat: ["stat", "-L", "-c", "%f %s %n"],
  statRadix: 16,
  flush: "fsync",
  processors: 1,
  rsync: null,
  tar: null,
};
const ITEMS = [publication(".s/1", "free.fits"), publication(".s/2", "taken.fits", { onConflict: "fail" })];

function answered(output: string) {
  return shellPublish(() => Promise.resolve(output), TOOLS, {
    where: "there",
    follow: false,
    place: "place",
    system: createSystem(),
  })(ITEMS, signal);
}

Deno.test("publish() passes over lines that something else prints into the answer", async () => {
  const [free, taken] = await answered("System will go down for maintenance at 12:00\nok\nexists\n");
  assertEquals(free, { published: true });
  assertEquals(taken?.published === false && taken.failure.code, "exists");
});

Deno.test("publish() throws when it cannot tell which answer is whose", async () => {
  for (const output of ["ok\nok\nexists\n", "Going down: ok\nexists\n", "ok\n", ""]) {
    await rejectsWith(() => answered(output), ["interrupted"]);
  }
});
