/**
 * The method rsync: a batch is one run of rsync from a folder of links into staging, over the connection of the session.
 * rsync never writes a final name, and what it reports is never taken for proof: the remote hash is.
 *
 * Where names can be given later, a run is started ahead: only the name of a finished file is missing then. Else a run starts when it is
 * needed.
 */
import { lastPart } from "../../domain/names/file_name.ts";
import { untilAborted } from "../../async/abort.ts";
import type { Destination, Transport } from "../../config/settings.ts";
import { CAUSES, failure, SILENCE_STARTUP } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Child } from "../../system/system.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf, linkName, type Links, linkUploads, makeLinks, stagingOf } from "../links.ts";
import type { Method, Upload } from "../method.ts";
import { shellQuote } from "../shell/shell_quote.ts";
import { changeAll, diskTrouble, openShellSession, PLAIN_MODES, type Sender, type SenderParts } from "../shell/shell_session.ts";
import { sshForRsync, toolPath } from "../ssh/ssh.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import { startedAhead, type Waiting } from "../ssh/started_ahead.ts";
import { streamedWriting } from "../tar/tar_parts.ts";
import { rsyncArgs, rsyncPair, type RsyncVersion, rsyncVersion } from "./rsync_args.ts";
import { PARTIAL, rsyncFailure, rsyncFileFailures, rsyncProgress } from "./rsync_failures.ts";

/**
 * Both ends need rsync 2.6.9 or later, or openrsync.
 *
 * @throws {Failure} from `connect`: `tool_missing` where one end has none that fits; what `ssh` says besides.
 */
export const rsync: Method<"rsync"> = {
  name: "rsync",
  async connect(destination, context, signal) {
    const { system } = context;
    // First on this side: without an rsync here no login is needed to know.
    const path = await toolPath("rsync", system);
    const { stdout, stderr } = await system.run({ program: path, args: ["--version"] }, signal);
    const version = rsyncVersion(stdout.split("\n")[0] ?? "") ?? rsyncVersion(stderr.split("\n")[0] ?? "");
    if (!version) throw failure(CAUSES.rsync_without_version, `Cannot use "${path}"`);
    const sender = (parts: SenderParts) => rsyncSender({ ...parts, destination }, { path, version }, signal);
    return await openShellSession(destination, context, signal, sender);
  },
};

async function rsyncSender(
  { destination, context, connection, tools, files }: SenderParts & { readonly destination: Destination<Transport<"rsync">> },
  here: { readonly path: string; readonly version: RsyncVersion },
  signal: AbortSignal,
): Promise<Sender> {
  const { rsync: there } = tools;
  const cannot = `Cannot use rsync with ${destination.name}`;
  if (there === null) throw failure(CAUSES.rsync_missing, cannot);
  const pair = rsyncPair(here.version, there.version);
  if (pair === null) throw failure(CAUSES.rsync_too_old, cannot);
  if (connection.startupOutput !== "") throw await startupOutputFailure(connection, signal);
  const pace = paceOf(destination, context);

  /** With these links, into a folder relative to the base path. */
  const start = async (links: Links, into: string, resumes: boolean, limit: number | null): Promise<Run> => {
    const shell = sshForRsync(connection.ssh, connection.settings, connection.sharing);
    const args = rsyncArgs({ destination, pair, shell, remotePath: there.path, into, resumes, limit });
    const command = { program: here.path, args, cwd: links.folder, env: { LC_ALL: "C" } };
    const child = await context.system.spawn(command, new AbortController().signal).catch(async (error) => {
      await links[Symbol.asyncDispose]();
      throw error;
    });
    return {
      links,
      child,
      async [Symbol.asyncDispose]() {
        // Also after it has exited: its pipes are closed here.
        await child.end();
        await child.finished;
        await links[Symbol.asyncDispose]();
      },
    };
  };
  /** A run that is told the names later. */
  const startUnnamed = async (resumes: boolean, limit: number | null) =>
    await start(await makeLinks(context), context.stagingRoot, resumes, limit);
  // Without a shared connection each would be a login of its own.
  const most = pair.readsNames && connection.sharing !== null ? Math.min(2, destination.parallelTransfers) : 0;
  const ahead = startedAhead(most, () => startUnnamed(false, null), (message) => context.log("debug", message));

  async function sendBatch({ uploads, prepared, limit, onText }: Batch, signal: AbortSignal): Promise<RsyncEnd> {
    const resumes = uploads.some(({ leftover }) => leftover !== undefined);
    if (!pair!.readsNames) {
      const links = await linkUploads(uploads, context, signal);
      await prepared.catch(async (error) => {
        await links[Symbol.asyncDispose]();
        throw error;
      });
      await using run = await start(links, stagingOf(uploads), resumes, limit);
      await run.child.closeStdin();
      return await endOf(run.child, onText, signal);
    }
    /** Names are read as soon as they are written, so everything they stand for must be there before. */
    const sendNames = async (run: Run, onText: (text: string) => void): Promise<RsyncEnd> => {
      await using it = run;
      const attempt = lastPart(stagingOf(uploads));
      // One after the other: where one failed, the folder of the links would be removed while they are made.
      await it.links.fill(uploads, signal, attempt);
      await prepared;
      const names = uploads.map((upload) => `${attempt}/${linkName(upload)}\n`).join("");
      // It may end before it has read them all; its exit code says why.
      const written = it.child.write(names).then(() => it.child.closeStdin()).catch(() => undefined);
      const end = await endOf(it.child, onText, signal);
      await written;
      return end;
    };
    const waiting = resumes || limit !== null ? undefined : await ahead.take();
    if (waiting) {
      let moved = false;
      const end = await sendNames(waiting, (text) => onText((moved = true, text)));
      // One that died while it waited says nothing about the files: they go with a new one.
      if (end.code === 0 || PARTIAL.has(end.code) || moved) return end;
      context.log("debug", `rsync started ahead ended with code ${end.code}: ${end.stderr.trim().split("\n").at(-1) ?? ""}`);
    }
    return await sendNames(await startUnnamed(resumes, limit), onText);
  }

  return {
    method: "rsync",
    about: pair.about,
    resumes: true,
    hashesSource: false,
    writing: streamedWriting(connection, files, tools, context),
    async send(uploads, prepared, sent, signal) {
      const onText = rsyncProgress(new Set(uploads.map(linkName)), sent.bytes);
      using lease = await pace.lease(bytesOf(uploads), signal, sent.alive);
      const end = await sendBatch({ uploads, prepared, limit: lease.rate, onText }, signal);
      if (end.code === 0) return null;
      if (PARTIAL.has(end.code)) return rsyncFileFailures(end.stderr, uploads, destination);
      const told = rsyncFailure(end, destination);
      const isVague = BY_OTHER_END.has(end.code) && told.code === "interrupted";
      throw isVague ? await diskTrouble(told, uploads, files, signal) : told;
    },
    async finish(uploads, signal) {
      if (!destination.preservePermissions) await changeAll(PLAIN_MODES, uploads, files, signal);
    },
    // With a limit, what a run may send is known only when it starts.
    makeReady: () => pace.atOnce < Infinity ? undefined : ahead.startMore(),
    close: ahead.close,
  };
}

/** Exit codes for a far end that went away; what it said may not have come through. */
const BY_OTHER_END: ReadonlySet<number> = new Set([10, 11, 12, 13]);

/** What became of a run; `code` as in rsync's man page under EXIT VALUES: 0 all is there, 23 and 24 some files are not. */
interface RsyncEnd {
  readonly code: number;
  readonly signal: string | null;
  readonly stderr: string;
}

interface Run extends Waiting {
  readonly links: Links;
}

interface Batch {
  readonly uploads: readonly Upload[];
  readonly prepared: Promise<void>;
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
  readonly onText: (text: string) => void;
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

/** Why rsync cannot be used there: `tool_missing`, so that `auto` takes another method. */
async function startupOutputFailure(connection: SshConnection, signal: AbortSignal): Promise<Failure> {
  const { destination, startupOutput } = connection;
  const line = startupOutput.split("\n").map((line) => line.trim()).find((line) => line !== "") ?? "";
  const { output } = await connection.run(`printed=${shellQuote(line)}\n${WHICH_FILE}`, signal);
  const words = { line: printable(line).slice(0, 100), advice: adviceFor(printable(output.trim())) };
  return failure(CAUSES.shell_prints_to_rsync, `Cannot use rsync with ${destination.name}`, { words });
}

/** What is true on a terminal only, in shells that are not like `sh`. */
const CONDITIONS = [["cshrc", "if ( $?prompt )"], [".fish", "status is-interactive; and"]] as const;

function adviceFor(file: string): string {
  if (file === "") return SILENCE_STARTUP;
  if (/ssh\/(ssh)?rc$/.test(file)) return `Let "${file}" there print to standard error: put \`>&2\` behind the line that prints.`;
  const [, condition] = CONDITIONS.find(([ending]) => file.endsWith(ending)) ?? ["", "[ -t 1 ] &&"];
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
