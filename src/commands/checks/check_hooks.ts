/**
 * What `doctor` looks at in the hooks of a job, without calling them.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import type { System } from "../../system/system.ts";
import { fault, type Finding, ok } from "./finding.ts";

/** One finding for each hook. */
export async function checkHooks(job: Job, system: Pick<System, "which">): Promise<Finding[]> {
  const about = `job ${job.name}`;
  return await Promise.all(job.hooks.map(async ({ on, receiver }) => {
    const when = on.join(", ");
    if (receiver.kind === "url") return ok(about, `A hook on ${when} posts to ${new URL(receiver.url).host}`);
    const [program = ""] = receiver.argv;
    if (await system.which(program) !== null) return ok(about, `A hook on ${when} starts ${program}`);
    return fault(
      about,
      new Failure("tool_missing", `The hook on ${when} cannot start "${program}": there is no such program`, {
        hint: "Correct its command, or put the program in a folder on the PATH of the account that runs the daemon.",
      }),
    );
  }));
}
