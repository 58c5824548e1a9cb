/** One suite that every method passes, on real tools, and the fake too: `conformance(candidate)` in one file a method. */
import { has } from "../support/needs.ts";
import { treeOf } from "../support/process_tree.ts";
import { assertEquals } from "@std/assert";
import { AUDITING } from "./audit_checks.ts";
import { CARRYING } from "./carrying_checks.ts";
import { DISK } from "./disk_checks.ts";
import { GROUND } from "./ground_checks.ts";
import { GROWING } from "./growing_checks.ts";
import { NAMING } from "./naming_checks.ts";
import { REMOVAL } from "./removal_checks.ts";
import { type Candidate, type Check, openBench } from "./rig.ts";
import { STRANGERS } from "./strangers_checks.ts";

const CHECKS: readonly Check[] = [...GROUND, ...AUDITING, ...CARRYING, ...GROWING, ...NAMING, ...REMOVAL, ...DISK, ...STRANGERS];

const SEEN = ["nothing", "names", "links", "owners"];

/** Registers the test that holds a candidate to the contract, promise by promise. */
export function conformance(candidate: Candidate): void {
  Deno.test(`${candidate.name} passes the conformance suite`, { ignore: candidate.ignore }, async (test) => {
    const only = Deno.env.get("CONFORMANCE_ONLY");
    await using mount = await candidate.start();
    for (const check of CHECKS) {
      if (only && !check.name.includes(only)) continue;
      if ((check.onDisk === true || check.strangers) && !candidate.onDisk) continue;
      if (check.strangers && SEEN.indexOf(check.strangers) > SEEN.indexOf(candidate.sees ?? "owners")) continue;
      await test.step({
        name: check.name,
        ignore: check.root === true && !has("root"),
        fn: async () => {
          await using bench = await openBench(candidate, mount);
          await check.run(bench);
        },
      });
    }
    await test.step("dispose() leaves no process behind", async () => {
      assertEquals(await childrenOfOurs(), []);
    });
  });
}

/** Our own children that are tools of a transfer. */
async function childrenOfOurs(): Promise<string[]> {
  const tree = await treeOf(Deno.pid);
  const { stdout } = await new Deno.Command("ps", { args: ["-ww", "-o", "args=", "-p", tree.slice(1).join(",")] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").filter((name) =>
    /^(\S*\/)?(ssh |sftp |scp |rsync |rclone rcd )/.test(name.trim())
  );
}
