/**
 * What `doctor` looks at in the hooks of a job, without calling them: a program is not started, and a webhook gets no message.
 *
 * @module
 */
import { basename } from "@std/path";
import { deadline } from "../../async/deadline.ts";
import type { Job } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { type Hook, HOOK_PROGRAM } from "../../domain/hook.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { System } from "../../system/system.ts";
import { fault, type Finding, ok, warning } from "./finding.ts";

type HookSystem = Pick<System, "which" | "askRemote" | "sleep" | "compiled" | "gaveUp" | "followedFacts">;

/** One finding for each hook. */
export async function checkHooks(job: Job, system: HookSystem, signal: AbortSignal): Promise<Finding[]> {
  const about = `job ${job.name}`;
  return await Promise.all(job.hooks.map(async ({ on, receiver }) => {
    const when = on.join(", ");
    return receiver.kind === "url"
      ? await checkAddress(receiver, when, about, system, signal)
      : await checkProgram(receiver, when, about, system);
  }));
}

/** Of the hooks that start a program, those that cannot: for `config validate`, which asks nobody in the network. */
export async function checkHookPrograms(job: Job, system: HookSystem): Promise<Finding[]> {
  const found = await Promise.all(
    job.hooks.map(async ({ on, receiver }) =>
      receiver.kind === "url" ? [] : [await checkProgram(receiver, on.join(", "), `job ${job.name}`, system)]
    ),
  );
  return found.flat().filter(({ level }) => level !== "ok");
}

type Receiver<Kind> = Extract<Hook["receiver"], { kind: Kind }>;

const ANSWER_MS = 10_000;

/** HEAD is safe (RFC 9110, 9.2.1): it changes nothing there. Whatever it is answered, somebody is there. */
async function checkAddress(
  { url }: Receiver<"url">,
  when: string,
  about: string,
  system: HookSystem,
  signal: AbortSignal,
): Promise<Finding> {
  const { host } = new URL(url);
  const what = `The hook on ${when} cannot post to ${host}`;
  using limit = deadline(ANSWER_MS, system, signal);
  try {
    const { status } = await system.askRemote(url, { method: "HEAD", headers: {} }, limit.signal);
    if (status >= 300 && status < 400) {
      return warning(about, `${what}: it redirects to another address`, "Redirects are not followed: set url to that address.");
    }
    if (status === 404 || status === 410) {
      return warning(about, `${what}: it responded with status ${status}`, "Correct the url, or create the webhook there again.");
    }
    if (status >= 500) {
      return warning(
        about,
        `${what}: it responded with status ${status}`,
        "Check that server; it is called again until it works.",
      );
    }
    return ok(about, `A hook on ${when} posts to ${host}, which responds`);
  } catch (error) {
    signal.throwIfAborted();
    // The address may be a secret.
    const reason = limit.passed ? `no answer within ${ANSWER_MS / 1000} s` : reasonOf(error).replaceAll(url, "…");
    return warning(about, `${what}: ${reason}`, "Check the address and the network; events are kept and sent when it responds.");
  }
}

async function checkProgram(
  { argv, cwd }: Receiver<"command">,
  when: string,
  about: string,
  system: HookSystem,
): Promise<Finding> {
  const [program = ""] = argv;
  const what = `The hook on ${when} cannot start "${program}"`;
  const missing = (why: string, hint: string) => fault(about, new Failure("tool_missing", `${what}: ${why}`, { hint }));
  const found = await system.which(program);
  if (found === null) {
    const hint =
      "Correct its command, make the file executable, or put it in a folder on the PATH of the account that runs the daemon.";
    return missing("there is no such program", hint);
  }
  if (system.compiled && basename(found).replace(/\.exe$/i, "") !== HOOK_PROGRAM) {
    const hint = `Give it the name ${HOOK_PROGRAM} and put it in a folder on the PATH, or run image-transfer from source.`;
    return missing("the compiled program may not start any other program", hint);
  }
  if (system.gaveUp(found)) {
    return missing(
      "no hook needed a program when image-transfer started, so the permission was given back",
      "Restart image-transfer.",
    );
  }
  if (cwd !== null && (await system.followedFacts(cwd).catch(() => null))?.kind !== "folder") {
    return missing(`its working_directory "${cwd}" is not a folder`, "Create it, or correct working_directory.");
  }
  return ok(about, `A hook on ${when} starts ${found}`);
}
