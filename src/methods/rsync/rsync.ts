/**
 * The method rsync: a batch is one run of rsync from a folder of links into staging, over the connection of the session.
 * rsync never writes a final name, and what it reports is never taken for proof: the remote hash is.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Destination, Transport } from "../../config/settings.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf, linkName, type Links, linkUploads, makeLinks, stagingOf } from "../links.ts";
import type { Method, MethodContext, Upload } from "../method.ts";
import { rsyncArgs, type RsyncPair, rsyncPair, type RsyncVersion, rsyncVersion } from "./rsync_args.ts";
import { givePlainModes } from "../shell/plain_modes.ts";
import { PARTIAL, rsyncFailure, rsyncFileFailures, rsyncProgress } from "./rsync_failures.ts";
import {
  diskTrouble,
  type FileFailures,
  openShellSession,
  type Sender,
  type SenderParts,
  type Sent,
} from "../shell/shell_session.ts";
import { streamedWriting } from "../tar/tar_parts.ts";
import { sshForRsync, toolPath } from "../ssh/ssh.ts";
import type { Child, System } from "../../system/system.ts";
import { untilAborted } from "../../async/abort.ts";
import { startedAhead, type Waiting } from "../ssh/started_ahead.ts";
import { SILENCE_STARTUP } from "../../domain/causes.ts";
import { printable } from "../../domain/names/printable.ts";
import { shellQuote } from "../shell/shell_quote.ts";

/**
 * Both ends need rsync 2.6.9 or later, or openrsync.
 *
 * @throws {Failure} from `connect`: `tool_missing` where one end has none that fits; what `ssh` says besides.
 */
export const rsync: Method<"rsync"> = {
  name: "rsync",
  async connect(destination, context, signal) {
    // First on this side: without an rsync here no login is needed to know.
    const here = await localRsync(context, signal);
    return await openShellSession(
      destination,
      context,
      signal,
      (parts) => rsyncSender({ ...parts, destination }, here, signal),
    );
  },
};

interface LocalRsync {
  readonly path: string;
  readonly version: RsyncVersion;
}

async function localRsync({ system }: MethodContext, signal: AbortSignal): Promise<LocalRsync> {
  const path = await toolPath("rsync", system);
  const { stdout, stderr } = await system.run({ program: path, args: ["--version"] }, signal);
  const version = rsyncVersion(stdout.split("\n")[0] ?? "") ?? rsyncVersion(stderr.split("\n")[0] ?? "");
  if (version) return { path, version };
  throw new Failure("tool_missing", `Cannot use "${path}": it does not report its version`, {
    hint: "Install rsync 3, or use sftp.",
  });
}

async function rsyncSender(
  { destination, context, connection, tools, files }: SenderParts & { readonly destination: Destination<Transport<"rsync">> },
  here: LocalRsync,
  signal: AbortSignal,
): Promise<Sender> {
  const { rsync: there } = tools;
  if (there === null) {
    throw new Failure("tool_missing", `Cannot use rsync with ${destination.name}: it is not installed there`, {
      hint: "Install rsync there, or set transfer_method to sftp or auto.",
    });
  }
  const pair = pairOf(here, there, destination.name);
  if (connection.startupOutput !== "") throw await startupOutputFailure(connection, signal);
  const pace = paceOf(destination, context);
  const runs = rsyncRuns({
    path: here.path,
    readsNames: pair.readsNames,
    // Without a shared connection each would be a login of its own.
    ahead: connection.sharing === null ? 0 : Math.min(2, destination.parallelTransfers),
    args: (into, resumes, limit) => {
      const shell = sshForRsync(connection.ssh, connection.settings, connection.sharing);
      return rsyncArgs({ destination, pair, shell, remotePath: there.path, into, resumes, limit });
    },
  }, context);

  async function send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<FileFailures | null> {
    const progress = rsyncProgress(new Set(uploads.map(linkName)), sent.bytes);
    using lease = await pace.lease(bytesOf(uploads), signal, sent.alive);
    const end = await runs.send({ uploads, prepared, limit: lease.rate, onText: progress }, signal);
    if (end.code === 0) return null;
    if (!PARTIAL.has(end.code)) {
      const failure = rsyncFailure(end, destination);
      throw BY_OTHER_END.has(end.code) && failure.code === "interrupted"
        ? await diskTrouble(failure, uploads, files, signal)
        : failure;
    }
    return rsyncFileFailures(end.stderr, uploads, destination);
  }

  return {
    method: "rsync",
    about: pair.about,
    resumes: true,
    hashesSource: false,
    writing: streamedWriting(connection, files, tools, context),
    send,
    ...(destination.preservePermissions
      ? {}
      : { finish: (uploads: readonly Upload[], signal: AbortSignal) => givePlainModes(uploads, files, signal) }),
    // With a limit, what a run may send is known only when it starts.
    makeReady: () => pace.atOnce < Infinity ? undefined : runs.startAhead(),
    close: runs.close,
  };
}

/** How the two ends work together. @throws {Failure} `tool_missing` */
function pairOf(here: LocalRsync, there: { readonly version: RsyncVersion }, name: string): RsyncPair {
  const pair = rsyncPair(here.version, there.version);
  if (pair === null) {
    throw new Failure("tool_missing", `Cannot use rsync with ${name}: one end is older than 2.6.9`, {
      hint: "Update rsync there, or set transfer_method to sftp or auto.",
    });
  }
  return pair;
}

/** Exit codes for a far end that went away; what it said may not have come through. */
const BY_OTHER_END: ReadonlySet<number> = new Set([10, 11, 12, 13]);

/** What became of a run. */
interface RsyncEnd {
  /** As in rsync's man page under EXIT VALUES: 0 all is there, 23 and 24 some files are not. */
  readonly code: number;
  readonly signal: string | null;
  readonly stderr: string;
}

/** The runs of one session. Several batches may be sent at a time. */
interface RsyncRuns {
  send(batch: Batch, signal: AbortSignal): Promise<RsyncEnd>;
  /** Starts a run without a limit ahead if there is none. Never throws. */
  startAhead(): void;
  /** Ends the runs that wait; to be called when no batch is under way any more. */
  close(): Promise<void>;
}

/** The local rsync and how it is called. */
interface RsyncProgram {
  /** Absolute. */
  readonly path: string;
  /** False where all must be known at the start. */
  readonly readsNames: boolean;
  /** Runs ahead at most. */
  readonly ahead: number;
  /** The arguments for a folder relative to the base path; `resumes` where parts lie there already; `limit` in bytes per second. */
  args(into: string, resumes: boolean, limit: number | null): string[];
}

interface Run extends Waiting {
  readonly links: Links;
  readonly child: Child;
}

/** The files of one run. */
interface Batch {
  readonly uploads: readonly Upload[];
  /** Resolves when their staging folder is there. */
  readonly prepared: Promise<void>;
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
  /** What rsync prints. */
  readonly onText: (text: string) => void;
}

/** Starts nothing before `send` or `startAhead`; links are made in the context's work folder. */
export function rsyncRuns(program: RsyncProgram, context: MethodContext): RsyncRuns {
  const { system, log, stagingRoot } = context;
  /** A run that is told the names later. */
  const startRun = async (resumes: boolean, limit: number | null) =>
    await start(await makeLinks(context), program, program.args(stagingRoot, resumes, limit), system);
  const ahead = startedAhead(
    program.readsNames ? program.ahead : 0,
    () => startRun(false, null),
    (message) => log("debug", message),
  );
  return {
    startAhead: ahead.startMore,
    close: ahead.close,
    async send(batch, signal) {
      const { uploads, limit, onText } = batch;
      const resumes = uploads.some(({ leftover }) => leftover !== undefined);
      if (!program.readsNames) return await sendFolder(program, context, batch, resumes, signal);
      const waiting = resumes || limit !== null ? undefined : await ahead.take();
      if (waiting) {
        let moved = false;
        const end = await sendNames(waiting, { ...batch, onText: (text) => onText((moved = true, text)) }, signal);
        // One that died while it waited says nothing about the files: they go with a new one.
        if (end.code === 0 || PARTIAL.has(end.code) || moved) return end;
        log("debug", `rsync started ahead ended with code ${end.code}: ${end.stderr.trim().split("\n").at(-1) ?? ""}`);
      }
      return await sendNames(await startRun(resumes, limit), batch, signal);
    },
  };
}

async function sendFolder(
  program: RsyncProgram,
  context: MethodContext,
  { uploads, prepared, limit, onText }: Batch,
  resumes: boolean,
  signal: AbortSignal,
): Promise<RsyncEnd> {
  const links = await linkUploads(uploads, context, signal);
  await prepared.catch(async (error) => {
    await links[Symbol.asyncDispose]();
    throw error;
  });
  await using run = await start(links, program, program.args(stagingOf(uploads), resumes, limit), context.system);
  await run.child.closeStdin();
  return await endOf(run.child, onText, signal);
}

/** Names are read as soon as they are written, so everything they stand for must be there before. */
async function sendNames(run: Run, { uploads, prepared, onText }: Batch, signal: AbortSignal): Promise<RsyncEnd> {
  await using it = run;
  const staging = stagingOf(uploads);
  const attempt = staging.slice(staging.lastIndexOf("/") + 1);
  // One after the other: where one failed, the folder of the links would be removed while they are made.
  await it.links.fill(uploads, signal, attempt);
  await prepared;
  const names = uploads.map((upload) => `${attempt}/${linkName(upload)}\n`).join("");
  // It may end before it has read them all; its exit code says why.
  const written = it.child.write(names).then(() => it.child.closeStdin()).catch(() => undefined);
  const end = await endOf(it.child, onText, signal);
  await written;
  return end;
}

async function start(
  links: Links,
  program: RsyncProgram,
  args: string[],
  system: Pick<System, "spawn">,
): Promise<Run> {
  const life = new AbortController();
  try {
    const child = await system.spawn({ program: program.path, args, cwd: links.folder, env: { LC_ALL: "C" } }, life.signal);
    let over = false;
    const ended = child.finished.then(() => over = true);
    return {
      links,
      child,
      get over() {
        return over;
      },
      async [Symbol.asyncDispose]() {
        // Also after it has exited: its pipes are closed here.
        await child.end();
        await ended;
        await links[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await links[Symbol.asyncDispose]();
    throw error;
  }
}

/** Reads to the end. Once aborted, ends the run and throws the signal's reason. */
async function endOf(child: Child, onText: (text: string) => void, signal: AbortSignal): Promise<RsyncEnd> {
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const piece of child.stdout) onText(decoder.decode(piece, { stream: true }));
    return await child.finished;
  })();
  try {
    const { code, signal: endedBy } = await untilAborted(reading, signal);
    return { code, signal: endedBy, stderr: child.stderr() };
  } catch (error) {
    await child.end();
    await reading.catch(() => undefined);
    throw error;
  }
}

/** The part of a connection that is needed to find out. */
interface ProbedConnection {
  readonly destination: { readonly name: string };
  readonly startupOutput: string;
  run(script: string, signal: AbortSignal): Promise<{ readonly output: string }>;
}

/** Why rsync cannot be used there: `tool_missing`, so that `auto` takes another method. */
export async function startupOutputFailure(connection: ProbedConnection, signal: AbortSignal): Promise<Failure> {
  const { destination, startupOutput } = connection;
  const line = startupOutput.split("\n").map((line) => line.trim()).find((line) => line !== "") ?? "";
  const { output } = await connection.run(`printed=${shellQuote(line)}\n${WHICH_FILE}`, signal);
  const file = printable(output.trim());
  const shown = printable(line).slice(0, 100);
  return new Failure("tool_missing", `Cannot use rsync with ${destination.name}: the login shell there prints "${shown}"`, {
    hint: `${file === "" ? SILENCE_STARTUP : advice(file)} Or set transfer_method to sftp or auto.`,
  });
}

function advice(file: string): string {
  if (/ssh\/(ssh)?rc$/.test(file)) return `Let "${file}" there print to standard error: put \`>&2\` behind the line that prints.`;
  const condition = file.endsWith("cshrc")
    ? "if ( $?prompt )"
    : file.endsWith(".fish")
    ? "status is-interactive; and"
    : "[ -t 1 ] &&";
  return `Let "${file}" there print only on a terminal: put \`${condition}\` in front of the line that prints.`;
}

/** Of the files that shells and sshd read for a command: the first that holds the text, else the shell's usual one. */
const WHICH_FILE = `
for f in "$BASH_ENV" ~/.bashrc /etc/bash.bashrc ~/.zshenv /etc/zsh/zshenv ~/.tcshrc ~/.cshrc /etc/csh.cshrc \\
  ~/.config/fish/config.fish ~/.ssh/rc /etc/ssh/sshrc; do
  [ -f "$f" ] && grep -qF -e "$printed" "$f" 2>/dev/null && { echo "$f"; exit 0; }
done
case "$SHELL" in
*/bash) echo ~/.bashrc ;; */zsh) echo ~/.zshenv ;; */tcsh | */csh) echo ~/.cshrc ;; */fish) echo ~/.config/fish/config.fish ;;
esac
:`;
