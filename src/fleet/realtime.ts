/**
 * PocketBase's realtime: server-sent events over one connection (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * Only which collection changed is of interest, so whatever the server sends, little of it is kept.
 */
import { anySignal, untilAborted } from "../async/abort.ts";
import { type Deadline, deadline } from "../async/deadline.ts";
import { Failure } from "../domain/failure.ts";
import type { RemoteQuestion, System } from "../system/system.ts";
import { nonsense, refused, unreached } from "./server_failure.ts";

/** What is heard, and what is done about it. */
interface Hearing {
  readonly url: string;
  readonly timeoutMs: number;
  readonly ca: Pick<RemoteQuestion, "ca">;
  /** By topic: `collection/*`, or `collection/ID`. */
  readonly changed: ReadonlyMap<string, () => void>;
  /** How long a connection is believed on which no event comes. */
  readonly silentMs: number;
  /** Called once changes are told. */
  readonly hearing: () => void;
  /** Says which changes to tell, as the account. */
  readonly subscribe: (clientId: string) => Promise<unknown>;
}

/** More of a line is passed over. */
const MOST_LINE = 1_000;
/** More without a change is nothing of PocketBase. */
const MOST_NOISE = 4 * 1024 * 1024;

/** Runs until the connection ends. @throws {ServerFailure} where it fails. */
export async function hearTopics(
  about: Hearing,
  system: Pick<System, "now" | "sleep" | "hearRemote">,
  signal: AbortSignal,
): Promise<void> {
  const { url, timeoutMs, ca, silentMs } = about;
  // Ends the connection however this function is left.
  using connection = anySignal(signal);
  const inTime = async <T>(work: Promise<T>, limit: Deadline): Promise<T> => {
    try {
      return await untilAborted(work, limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof Failure ? error : unreached(url, error, limit.passed);
    }
  };
  using connecting = deadline(timeoutMs, system, signal);
  const question = { method: "GET", headers: { accept: "text/event-stream" }, ...ca } as const;
  const address = `${url.replace(/\/$/, "")}/api/realtime`;
  const { status, headers, pieces } = await inTime(system.hearRemote(address, question, connection.signal), connecting);
  if (status !== 200) throw refused(url, { status, headers, text: "" }, system.now());
  const events = eventReader();
  let noise = 0;
  for (let isConnected = false;;) {
    // Not measured from piece to piece: a proxy may keep a connection open on which no event comes any more.
    using silence = deadline(silentMs, system, signal);
    for (let isSilent = true; isSilent;) {
      const piece = await inTime(pieces.next(), isConnected ? silence : connecting).catch((error) => {
        // Half open, or nothing could be written there: the next connection tells whether the server answers.
        if (silence.passed && isConnected) return null;
        throw error;
      });
      if (piece === null || piece.done) return;
      const { value } = piece;
      noise += value.length;
      for (const { event, id } of events(value)) {
        if (event === "PB_CONNECT" && !isConnected) {
          await about.subscribe(id);
          isConnected = true;
          about.hearing();
        }
        about.changed.get(event)?.();
        noise = 0;
        isSilent = false;
      }
      if (noise > MOST_NOISE) throw nonsense(url);
    }
  }
}

/** Gives the events that end in a piece of text. */
function eventReader(): (piece: string) => { readonly event: string; readonly id: string }[] {
  let line = "";
  let fields: Record<string, string> = {};
  return (piece) => {
    const ended: { event: string; id: string }[] = [];
    const [first = "", ...others] = piece.split("\n");
    line = (line + first).slice(0, MOST_LINE);
    for (const other of others) {
      const [, key, value] = /^(event|id):\s?(.*?)\r?$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined) fields[key] = value;
      if (line.trim() === "") {
        if (fields["event"] !== undefined) ended.push({ event: fields["event"], id: fields["id"] ?? "" });
        fields = {};
      }
      line = other.slice(0, MOST_LINE);
    }
    return ended;
  };
}
