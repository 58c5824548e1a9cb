/** What curl says while it talks to a server, read line by line: commands and replies, and how far a file is. */

/** What a server says. */
export interface Reply {
  readonly code: number;
  /** Every line but for the code; the last is the one that ends it. */
  readonly lines: readonly string[];
}

/** A command with what was said to it: preliminary replies (150) too, in order. */
export interface Exchange {
  readonly command: string;
  readonly replies: readonly Reply[];
}

/** How a transfer ended. */
export interface Ended {
  /** Of curl for this transfer; 0 is success. */
  readonly exit: number;
  /** In curl's words. */
  readonly error: string;
  /** Of a run with several transfers, only the last has them. */
  readonly exchanges: readonly Exchange[];
}

/**
 * Keeps what curl says during one run. `onBytes` is called with about how much of the present file has been sent; it costs time to listen to that. Of a server that says more than
 * `most` bytes, the rest is not kept, and `onExcess` is called.
 */
export function dialogueReader(onBytes?: (bytes: number) => void, most = Infinity, onExcess = () => {}) {
  // Most of it is never asked for: it is taken apart only then.
  let pieces: Uint8Array[] = [];
  let kept = 0;
  const meter = onBytes && lineReader((line) => {
    const [, sent, unit] = SENT.exec(line) ?? [];
    if (sent !== undefined) onBytes(Math.floor(Number(sent) * 1024 ** " kMGTP".indexOf(unit || " ")));
  });
  return {
    /** The next bytes of it. */
    read(piece: Uint8Array): void {
      meter?.(piece);
      if (kept > most) return;
      pieces.push(piece);
      kept += piece.length;
      if (kept <= most) return;
      // A long transfer may have told its progress very often.
      const said = new TextEncoder().encode(textOf(pieces).split(LINE_END).filter((line) => /^[<>*] /.test(line)).join("\n"));
      if (said.length > most / 2) return onExcess();
      pieces = [said, new TextEncoder().encode("\n")];
      kept = said.length + 1;
    },
    /** All that was said so far; with `since`, from the last time that this command was sent, if it was. */
    exchanges(since?: string): Exchange[] {
      const text = textOf(pieces);
      const begin = since === undefined ? -1 : lastLine(text, `> ${since}`);
      return exchangesIn(begin < 0 ? text : text.slice(begin));
    },
  };
}

function textOf(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join("").replace(METER, "");
}

/** The progress meter where something else follows on its line: curl does not end it before it says more. */
const METER = /(?<=^|[\r\n]) *\d[^<>*\r\n]*(?=[<>*] )/g;

/** The sixth column of a line of that meter: ` 40 9.8M    0     0   40 4096k      0  9.9M  0:00:01 …`. */
const SENT = /^ *\d+ +\S+ +\d+ +\S+ +\d+ +(\d+(?:\.\d+)?)([kMGTP]?) /;

/** Where the last line is that reads so; -1 without one. */
function lastLine(text: string, line: string): number {
  for (let at = text.lastIndexOf(line); at >= 0; at = at === 0 ? -1 : text.lastIndexOf(line, at - 1)) {
    if (/^(?:[\r\n]|$)/.test(text[at - 1] ?? "") && /^[\r\n]/.test(text[at + line.length] ?? "")) return at;
  }
  return -1;
}

/** Calls `take` with each line that is complete. */
function lineReader(take: (line: string) => void): (piece: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (piece) => {
    const parts = (rest + decoder.decode(piece, { stream: true })).split(LINE_END);
    rest = parts.pop() ?? "";
    for (const part of parts) take(part);
  };
}

const LINE_END = /\r\n|[\r\n]/;

/** What the complete lines of the text tell. */
function exchangesIn(text: string): Exchange[] {
  const exchanges: { command: string; replies: Reply[] }[] = [];
  let lines: string[] = [];

  function reply(text: string): void {
    lines.push(text.replace(/^\d{3}[ -]/, ""));
    const code = /^(\d{3})(?: |$)/.exec(text)?.[1];
    if (code === undefined) return;
    exchanges.at(-1)?.replies.push({ code: Number(code), lines });
    lines = [];
  }

  for (const line of text.split(LINE_END).slice(0, -1)) {
    if (line.startsWith("> ")) {
      lines = [];
      exchanges.push({ command: line.slice(2), replies: [] });
    } else if (line.startsWith("< ")) reply(line.slice(2));
    else if (CONNECTED.test(line) && !DATA_CONNECTION.test(exchanges.at(-1)?.command ?? "")) {
      exchanges.push({ command: GREETING, replies: [] });
    }
  }
  return exchanges;
}

/** The latter is what curl 8.16 and later say. */
const CONNECTED = /^\* (?:Connected|Established connection) to /;

/** The commands that a connection for data follows. */
const DATA_CONNECTION = /^(EPSV|PASV|EPRT|PORT)\b/;

/** Stands for the command that a server's first words answer. */
export const GREETING = "(connect)";

/** What was sent to this very command; the last where it was sent more than once; null where it was not sent, or not answered. */
export function replyTo({ exchanges }: Pick<Ended, "exchanges">, command: string): Reply | null {
  return exchanges.findLast((exchange) => exchange.command === command)?.replies.at(-1) ?? null;
}

/** The same for many commands. */
export function repliesIn({ exchanges }: Pick<Ended, "exchanges">): (command: string) => Reply | null {
  const replies = new Map(exchanges.map((exchange) => [exchange.command, exchange.replies.at(-1) ?? null]));
  return (command) => replies.get(command) ?? null;
}

/** The last thing that the server said. */
export function lastReply({ exchanges }: Pick<Ended, "exchanges">): Reply | null {
  return exchanges.findLast(({ replies }) => replies.length > 0)?.replies.at(-1) ?? null;
}

/** True for replies that say that it was done, or that it goes on. */
export function isYes(reply: Reply | null): boolean {
  return reply !== null && reply.code < 400;
}
