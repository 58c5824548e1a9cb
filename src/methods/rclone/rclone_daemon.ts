/**
 * One `rclone rcd` for a session: rclone as a small server on this computer alone, asked over HTTP. Its password is made for it, and is
 * handed over in its environment. What a run that was killed has left running is ended by the next.
 */
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import type { Destination, Transport } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import type { Child, System } from "../../system/system.ts";
import { runtimePlace } from "../former_runs.ts";
import type { MethodContext } from "../method.ts";
import { rcloneFailure } from "./rclone_failures.ts";

/** What a call is given and answers. */
export type Fields = Readonly<Record<string, unknown>>;

/** A running rclone; ended when it is disposed of. */
export interface RcloneDaemon extends AsyncDisposable {
  /**
   * One call, such as `operations/list`. When the signal is aborted, rclone gives it up.
   *
   * @throws {RcloneError} what rclone says; {Failure} `interrupted` where it does not answer.
   */
  call(path: string, fields: Fields, signal: AbortSignal): Promise<Fields>;
}

/** What rclone said of something that it did not do. */
export class RcloneError extends Error {
  override readonly name = "RcloneError";
}

/** A destination by rclone. */
export type RcloneDestination = Destination<Transport<"rclone">>;

/** Needed: `operations/hashsumfile`, which came with it. */
const OLDEST = "1.73";
const USER = "image-transfer";
const START_MS = 20_000;
const LOOK_MS = 20;
const QUIT_MS = 5000;
/** How often a request is repeated; the daemon itself retries, and knows how long. */
const TRIES = "2";
/** How many requests are under way at once. */
export const AT_ONCE = 16;

/** Starts it. @throws {Failure} `tool_missing` where there is none, or one too old. */
export async function startRclone(
  destination: RcloneDestination,
  context: MethodContext,
  signal: AbortSignal,
): Promise<RcloneDaemon> {
  const { system } = context;
  const program = await system.which("rclone");
  if (program === null) {
    throw new Failure("tool_missing", `Cannot reach ${destination.name}: the program "rclone" is not installed`, {
      hint: `Install rclone ${OLDEST} or later (rclone.org/install), and check it with "rclone version".`,
    });
  }
  await using stack = new AsyncDisposableStack();
  const port = await freePort(system, signal);
  const secret = system.randomHex(32);
  const life = new AbortController();
  stack.defer(() => life.abort());
  // The same for the same destination of the same installation, whatever the run.
  const { job, name, transport: { remote } } = destination;
  const place = await runtimePlace("rclone-", [context.stagingRoot, job, name, remote], async (left) => {
    context.log("info", `Ending the rclone for ${name} that an earlier run left`);
    await quit(JSON.parse(await system.readText(left)) as Run, system, signal);
  }, system);
  stack.use(place);
  // Before it is started: whatever happens then, the next run finds how to end it.
  const run: Run = { port, secret };
  await system.writeText(place.path, JSON.stringify(run), 0o600);
  const { timeoutMs, transport: { rcloneConfig } } = destination;
  const args = [
    "rcd",
    `--rc-addr=127.0.0.1:${port}`,
    ...(rcloneConfig === null ? [] : [`--config=${rcloneConfig}`]),
    "--ask-password=false",
    "--log-level=NOTICE",
    `--low-level-retries=${TRIES}`,
    "--retries=1",
    "--contimeout=15s",
    `--timeout=${Math.ceil(timeoutMs / 1000)}s`,
    `--transfers=${AT_ONCE}`,
    `--checkers=${AT_ONCE}`,
    // Otherwise large files go to object stores in parts, of which no store tells one hash.
    "--multi-thread-streams=0",
  ];
  const env = { ...NOT_OURS, RCLONE_RC_USER: USER, RCLONE_RC_PASS: secret };
  const child = stack.use(await system.spawn({ program, args, env }, life.signal));
  await untilServing(child, port, destination, system, signal);
  const daemon = { call: calls(system, port, secret, child) };
  const { commands } = await daemon.call("rc/list", {}, signal) as { commands: readonly { readonly Path: string }[] };
  if (!commands.some(({ Path }) => Path === "operations/hashsumfile")) {
    const { version } = await daemon.call("core/version", {}, signal);
    throw new Failure("tool_missing", `Cannot reach ${name}: rclone ${version} is too old`, {
      hint: `Install rclone ${OLDEST} or later from rclone.org/install; those of many Linux distributions are older.`,
    });
  }
  const rest = stack.move();
  return { ...daemon, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

/** What the environment may set for a person's own rclone, as it is without: ours must serve, here, and say so on standard error. */
const NOT_OURS = {
  RCLONE_DRY_RUN: "false",
  RCLONE_INTERACTIVE: "false",
  RCLONE_VERBOSE: "0",
  RCLONE_QUIET: "false",
  RCLONE_LOG_FILE: "",
  RCLONE_SYSLOG: "false",
  RCLONE_RC_BASEURL: "",
};

async function freePort(system: System, signal: AbortSignal): Promise<number> {
  using over = anySignal(signal);
  const { port, finished } = await system.listen({ host: "127.0.0.1", port: 0, handler: () => new Response() }, over.signal);
  over.abort();
  await finished;
  return port;
}

async function untilServing(
  child: Child,
  port: number,
  { name }: RcloneDestination,
  system: System,
  signal: AbortSignal,
): Promise<void> {
  let ended = false;
  void child.finished.then(() => ended = true, () => ended = true);
  const until = system.monotonic() + START_MS;
  // Only its own word counts: another program may have taken the port meanwhile.
  while (!child.stderr().includes(`Serving remote control on http://127.0.0.1:${port}/`)) {
    signal.throwIfAborted();
    if (ended || system.monotonic() > until) {
      throw rcloneFailure(child.stderr().trim() || "it did not start", `start rclone for ${name}`);
    }
    await system.sleep(LOOK_MS, signal);
  }
}

/** Some 400,000 names. */
const MOST_ANSWER = 64 * 1024 * 1024;

function calls(system: System, port: number, secret: string, child: Pick<Child, "stderr">): RcloneDaemon["call"] {
  const headers = { "content-type": "application/json", authorization: `Basic ${btoa(`${USER}:${secret}`)}` };
  return async (path, fields, signal) => {
    signal.throwIfAborted();
    let answer;
    try {
      const body = JSON.stringify(fields);
      answer = await system.askLocal(
        port,
        { method: "POST", path: `/${path}`, headers, body, mostCharacters: MOST_ANSWER },
        signal,
      );
    } catch (cause) {
      signal.throwIfAborted();
      const said = child.stderr().trim().split("\n").at(-1) ?? "";
      throw new Failure("interrupted", `rclone does not answer${said === "" ? "" : `; it said last: ${said}`}`, { cause });
    }
    if (answer.text.length > MOST_ANSWER) {
      throw new Failure("interrupted", `rclone's answer to ${path} is too long: a folder there holds too many names`, {
        hint: "Use folders with fewer files, for example by night, with the layout of the destination.",
      });
    }
    const content = JSON.parse(answer.text) as Fields;
    if (answer.status !== 200) throw new RcloneError(String(content["error"] ?? `status ${answer.status}`));
    return content;
  };
}

/** How a run is ended, written down for the case that we cannot end it. */
interface Run {
  readonly port: number;
  readonly secret: string;
}

/** Asks it to end, until nothing answers there any more. */
async function quit({ port, secret }: Run, system: System, signal: AbortSignal): Promise<void> {
  const call = calls(system, port, secret, { stderr: () => "" });
  const until = system.monotonic() + QUIT_MS;
  while (system.monotonic() < until) {
    using asking = anySignal(signal);
    const answered = call("core/quit", {}, asking.signal).then(() => true, (error) => error instanceof RcloneError);
    const alive = await within(answered, QUIT_MS, system, false);
    asking.abort();
    signal.throwIfAborted();
    if (!alive) return;
    await system.sleep(LOOK_MS, signal);
  }
}
