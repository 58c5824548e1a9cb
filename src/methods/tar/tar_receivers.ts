/**
 * The far ends of tar streams: each is one command over the connection of the session, which waits for the name of a folder and
 * then unpacks there whatever comes. One is started ahead.
 *
 * @module
 */
import type { Child } from "../../system/system.ts";
import type { MethodContext } from "../method.ts";
import { remoteBase, sshArgs } from "../ssh/ssh.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import { startedAhead, type Waiting } from "../ssh/started_ahead.ts";

/** How a stream ended: of `ssh`, which passes the exit status of the far end on. */
export interface ReceiverEnd {
  readonly code: number;
  readonly stderr: string;
}

/** The far end of one stream. Disposing of it ends the stream where it is. */
export interface Receiver extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more comes, and waits for the end. */
  finish(): Promise<ReceiverEnd>;
}

/** The receivers of one session. */
export interface Receivers {
  /** Unpacks into this folder (relative to the base path), which must be there. */
  unpack(staging: string): Promise<Receiver>;
  /** Appends to a file of that folder. */
  append(staging: string, name: string): Promise<Receiver>;
  /** Starts one ahead, if none waits. Never throws. */
  startAhead(): void;
  close(): Promise<void>;
}

/** Exit status where the folder cannot be entered. */
export const NO_FOLDER = 91;
/** Exit status where something else read the lines that were meant for us. */
export const NO_LINES = 93;

/** The second line: what is done with the rest. */
const UNPACK = "unpack";
const APPEND = "append";

/** `flags` are those of `tar`; `after` is done where it ended well. `ahead` is how many may wait. */
export interface ReceiverOptions {
  readonly flags: string;
  readonly after: string | null;
  readonly ahead: number;
}

/** Starts nothing yet. */
export function tarReceivers(connection: SshConnection, options: ReceiverOptions, { system, log }: MethodContext): Receivers {
  const { ssh, settings, sharing, destination } = connection;
  const args = sshArgs(settings, sharing, commandOf(options));
  const start = async (): Promise<WaitingChild> => {
    const child = await system.spawn({ program: ssh, args, env: { LC_ALL: "C" } }, new AbortController().signal);
    let over = false;
    void child.finished.then(() => over = true);
    return {
      child,
      get over() {
        return over;
      },
      [Symbol.asyncDispose]: () => child.end(),
    };
  };
  const ahead = startedAhead(options.ahead, start, (message) => log("debug", message));

  async function open(folder: string, file: string): Promise<Receiver> {
    const { child } = await ahead.take() ?? await start();
    const told = child.write(`${remoteBase(destination)}/${folder}\n${file === "" ? UNPACK : `${APPEND} ${file}`}\n`);
    told.catch(() => undefined); // Heard at the next write.
    return receiver(child);
  }

  return {
    unpack: (staging) => open(staging, ""),
    append: (staging, name) => open(staging, name),
    startAhead: ahead.startMore,
    close: ahead.close,
  };
}

interface WaitingChild extends Waiting {
  readonly child: Child;
}

/**
 * Reads two lines, the folder and what to do there, and gives the rest of its input to `cat` or `tar`; `read` takes no byte more
 * than its line. If a start-up file has read the first line, the second one is not ours, and nothing may be written anywhere. Nothing
 * in the script means anything else to csh or fish.
 */
function commandOf({ flags, after }: ReceiverOptions): string {
  const unpack = after === null ? `exec tar ${flags} -f -` : `tar ${flags} -f - && ${after}`;
  const script = [
    `LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/bin:/opt/bin:/opt/homebrew/bin"; export PATH`,
    `IFS= read -r folder && IFS= read -r task || exit ${NO_LINES}`,
    `case "$task" in ${UNPACK}|"${APPEND} "*) ;; *) exit ${NO_LINES};; esac`,
    `cd "$folder" || exit ${NO_FOLDER}`,
    `case "$task" in ${APPEND}*) exec cat >> "./\${task#* }";; esac`,
    unpack,
  ].join("; ");
  return `exec sh -c '${script}'`;
}

function receiver(child: Child): Receiver {
  return {
    write: (bytes) => child.write(bytes),
    async finish() {
      await child.closeStdin().catch(() => undefined);
      const { code } = await child.finished;
      return { code, stderr: child.stderr() };
    },
    [Symbol.asyncDispose]: () => child.end(),
  };
}
