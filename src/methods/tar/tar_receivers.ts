/**
 * The far ends of tar streams: each is one command over the connection of the session, which waits for the name of a folder and
 * then unpacks there whatever comes. One is started ahead.
 */
import { type Sleeper, within } from "../../async/deadline.ts";
import type { Child } from "../../system/system.ts";
import type { MethodContext } from "../method.ts";
import { type Channel, MOST_CHANNELS, sessionLine } from "../ssh/long_line.ts";
import { remoteBase, type Sharing, sshArgs } from "../ssh/ssh.ts";
import type { ShellTools } from "../shell/shell_tools.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import { startedAhead, type Waiting } from "../ssh/started_ahead.ts";
import type { SshDestination } from "../../config/settings.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { hostNamed, isConnectionTrouble, sshFailure } from "../ssh/ssh_failures.ts";

/** How a stream ended: of `ssh`, which passes the exit status of the far end on. */
export interface ReceiverEnd {
  readonly code: number;
  readonly stderr: string;
  readonly stdout: string;
}

/** The far end of one stream. Disposing of it ends the stream where it is. */
export interface Receiver extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more comes, and waits for the end. */
  finish(): Promise<ReceiverEnd>;
  /** It ended so because the server takes no more channels: nothing was received. */
  isRefused(end: ReceiverEnd): boolean;
}

/** The server takes no more channels than are open: what was meant for this one goes through another one. */
export class ChannelRefused extends Error {}

/** Exit status where the folder cannot be entered. */
const NO_FOLDER = 91;
/** Exit status where something else read the lines that were meant for us. */
const NO_LINES = 93;

/** The last line of a far end that has done all. Its exit status takes longer: shell, channel and `ssh` end one after the other. */
const DONE = "image-transfer: done";

const PATIENCE_MS = 5_000;

/** Exit status where the files could not be flushed. */
const NOT_FLUSHED = 94;

const UNPACK = "unpack";
const UNPACK_AND_HASH = "unpack-and-hash";
const APPEND = "append";

/** `flags` are those of `tar`; `after` is done where it ended well. `ahead` is how many may wait. */
interface ReceiverOptions {
  readonly tools: Pick<ShellTools, "hash" | "flush">;
  readonly flags: string;
  readonly after: string | null;
  readonly ahead: number;
}

export function tarReceivers(connection: SshConnection, options: ReceiverOptions, context: MethodContext) {
  const { system, log } = context;
  const { ssh, destination } = connection;
  const start = async (sharing: Sharing): Promise<Waiting> => {
    const args = sshArgs(connection.settings, sharing, receiverCommand(options));
    const child = await system.spawn({ program: ssh, args, env: { LC_ALL: "C" } }, new AbortController().signal);
    return { child, [Symbol.asyncDispose]: () => child.end() };
  };
  const ahead = startedAhead(options.ahead, () => start(connection.sharing), (message) => log("debug", message));
  const line = sessionLine(connection, context);
  let open = 0;

  async function receive(folder: string, task: string, channel: Channel): Promise<Receiver> {
    open++;
    const close = () => {
      open--;
      channel.leave();
    };
    try {
      const waiting = channel.sharing?.path === connection.sharing?.path ? await ahead.take() : undefined;
      const { child } = waiting ?? await start(channel.sharing);
      const told = child.write(`${remoteBase(destination)}/${folder}\n${task}\n`);
      told.catch(() => undefined); // Heard at the next write.
      channel.begin();
      return receiver(child, channel, system, close);
    } catch (error) {
      close();
      throw error;
    }
  }

  return {
    /** Unpacks into this folder (relative to the base path), which must be there. */
    unpack: (staging: string) => receive(staging, UNPACK, line.first()),
    /** The same; afterwards it prints SHA-256 and name (behind `./`) of every file of the folder, which is flushed meanwhile. */
    unpackAndHash: (staging: string) => receive(staging, UNPACK_AND_HASH, line.first()),
    /** Those that so many bytes are worth on a long line besides one, at most `most`, as far as the server takes channels. */
    unpackBeside(staging: string, bytes: number, most: number): Promise<Receiver>[] {
      const wanted = Math.min(line.worth(bytes) - 1, most);
      const channels = Array.from({ length: wanted }, () => line.another()).filter((channel) => channel !== null);
      return channels.map((channel) => receive(staging, UNPACK, channel));
    },
    /** How many much data is worth, as far as is known. */
    streams: () => line.worth(Infinity),
    append: (staging: string, name: string) => receive(staging, `${APPEND} ${name}`, line.first()),
    /** Starts one ahead, if none waits and the server takes one more. Never throws. */
    startAhead(): void {
      if (open < MOST_CHANNELS - 1) ahead.startMore();
    },
    async close(): Promise<void> {
      await ahead.close();
      await line[Symbol.asyncDispose]();
    },
  };
}

function receiver(child: Child, channel: Channel, clock: Sleeper, close: () => void): Receiver {
  const end = Promise.withResolvers<ReceiverEnd>();
  let done = false;
  const printed = textOf(child.stdout, (text) => {
    if (!text.endsWith(`${DONE}\n`)) return;
    done = true;
    end.resolve({ code: 0, stderr: "", stdout: text });
  });
  child.finished.then(async ({ code }) => end.resolve({ code, stderr: child.stderr(), stdout: await printed })).catch(end.reject);
  end.promise.catch(() => undefined); // Heard by `finish`.
  return {
    async write(bytes) {
      await child.write(bytes);
      channel.carried(bytes.length);
    },
    async finish() {
      await child.closeStdin().catch(() => undefined);
      const found = await end.promise;
      channel.end();
      return found;
    },
    isRefused(end) {
      // A channel that is not given does not log in by itself, but fails so.
      const isRefusal = end.code === CONNECTION_LOST && /session request failed|UNKNOWN port/.test(end.stderr);
      if (channel.sharing?.role !== "channel" || !isRefusal) return false;
      channel.refused();
      return true;
    },
    async [Symbol.asyncDispose]() {
      // It ends by itself, in some milliseconds that nobody waits for.
      const ended = done ? within(child.finished, PATIENCE_MS, clock, null).then(() => child.end()) : child.end();
      const closed = ended.then(close, close);
      if (!done) await closed;
    },
  };
}

/**
 * Flushes the files of the folder while something else runs: publishing flushes them again, and finds less to do. What goes wrong here has to be
 * said here, for the system tells it once; and as nobody may be left who hears it, the files go first: the folder is this attempt's alone. A
 * file system that cannot flush says so, and no more is asked of it (as in shell_flush.ts).
 */
function flushedBeside(work: string, program: "sync" | "fsync"): string {
  const harmless = HARMLESS.map((text) => `-e "${text}"`).join(" ");
  return [
    `${work} & work=$!`,
    `said=$(${program} ./* 2>&1) || { bad=$(echo "$said" | grep -v ${harmless}); [ -n "$said" ] && [ -z "$bad" ]; } || { rm -f ./*; echo "$said" >&2; exit ${NOT_FLUSHED}; }`,
    "wait $work",
  ].join("; ");
}

const HARMLESS = ["Invalid argument", "not supported"];

async function textOf(pieces: AsyncIterable<Uint8Array>, onText: (text: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of pieces) {
    text = (text + decoder.decode(piece, { stream: true })).slice(-LONGEST);
    onText(text);
  }
  return text;
}

/** Characters of what is printed: a start-up file may print what it likes. */
const LONGEST = 64 * 1024;

const CONNECTION_LOST = 255;

/**
 * Reads two lines, the folder and what to do there, and gives the rest of its input to `cat` or `tar`; `read` takes no byte more
 * than its line. If a start-up file has read the first line, the second one is not ours, and nothing may be written anywhere. Nothing
 * in the script means anything else to csh or fish.
 */
export function receiverCommand({ flags, after, tools: { hash, flush } }: ReceiverOptions): string {
  const unpack = `tar ${flags} -f -${after === null ? "" : ` && ${after}`}`;
  const hashed = `${hash.join(" ")} ./* 2>/dev/null`;
  const script = [
    `LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/bin:/opt/bin:/opt/homebrew/bin"; export PATH`,
    `IFS= read -r folder && IFS= read -r task || exit ${NO_LINES}`,
    `case "$task" in ${UNPACK}|${UNPACK_AND_HASH}|"${APPEND} "*) ;; *) exit ${NO_LINES};; esac`,
    `cd "$folder" || exit ${NO_FOLDER}`,
    // A link in the place of our staging folder leads elsewhere.
    `case "$(pwd -P)" in */.image-transfer-*/*) ;; *) exit ${NO_FOLDER};; esac`,
    `case "$task" in ${APPEND}*) exec cat >> "./\${task#* }";; esac`,
    `${unpack} || exit`,
    `[ "$task" != ${UNPACK_AND_HASH} ] || { ${
      flush === "sync" ? hashed : flushedBeside(hashed, flush === "fsync" ? "fsync" : "sync")
    }; }`,
    `echo "${DONE}"`,
  ].join("; ");
  return `exec sh -c '${script}'`;
}

/**
 * True where the tar there, GNU's, complains of nothing but times and modes that the file system does not keep: no reason to send the
 * files again.
 */
export function isOfAttributesOnly({ code, stderr }: ReceiverEnd): boolean {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line !== "" && !SUMMARY.test(line));
  return code === 2 && lines.length > 0 && lines.every((line) => ATTRIBUTES.test(line));
}

const ATTRIBUTES = /: Cannot (change mode to \S+|utime): (Operation not permitted|Operation not supported|Permission denied)$/;
const SUMMARY = /Exiting with failure status due to previous errors$/;

/** Never for one file alone: what became of each is looked up at the destination. */
export function tarFailure({ code, stderr }: ReceiverEnd, destination: SshDestination): Failure {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const said = printable(lines.find((line) => meaningOf(line) !== null) ?? lines.at(-1) ?? "").slice(0, 200);
  const cannot = `Cannot send to ${destination.name}`;
  if (code === 126 || code === 127) return failure(CAUSES.tar_not_startable, cannot, { said });
  if (code === NO_LINES) return failure(CAUSES.tar_input_taken, `${cannot} by tar`, { said });
  // Where ssh has a status of the far end to tell, the connection held, whatever it complained about before.
  const lost = code === CONNECTION_LOST && isConnectionTrouble(stderr);
  // What the file system there said comes before the end of the connection, which is only its consequence.
  const meaning = meaningOf(stderr);
  if (meaning && !lost) return failure(meaning, cannot, { said });
  if (code === NO_FOLDER) return failure(CAUSES.temporary_folder_gone, cannot, { said });
  if (code === CONNECTION_LOST) return sshFailure("ssh", { code, stderr }, destination);
  return failure(code === 0 ? CAUSES.tar_ended_early : CAUSES.ended_there, `Cannot send to ${hostNamed(destination)}`, {
    said,
    words: { tool: "tar", status: `code ${code}` },
  });
}
