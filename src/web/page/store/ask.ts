/** Questions to the daemon over HTTP, and what is asked again when something changes. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiFailure } from "../../../reports/api_types.ts";
import { sessionIsOver } from "./live.ts";

/** Why there is no answer, for people. */
export class AskError extends Error {
  constructor(message: string, readonly hint: string) {
    super(message);
  }
}

/** The body of an answer that is no refusal. */
interface Answer<T> {
  readonly value: T;
  /** How many match in all, where the answer is a page of a list. */
  readonly total: number | null;
}

/**
 * Asks; with a `body`, by POST.
 *
 * @throws {AskError} when there is no answer, half of one, or a refusal; `AbortError` when `signal` was aborted.
 */
export async function ask<T>(path: string, signal?: AbortSignal, body?: unknown): Promise<Answer<T>> {
  let response: Response;
  try {
    const given = signal === undefined ? {} : { signal };
    response = await fetch(
      path,
      body === undefined
        ? given
        : { ...given, method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    );
  } catch (error) {
    throw isAbort(error) ? error : new AskError("The daemon is not responding", "This page reconnects automatically.");
  }
  if (response.status === 401) sessionIsOver();
  if (!response.ok) {
    const refusal = await response.json().catch(() => null) as ApiFailure | null;
    const { message, hint } = refusal?.error ??
      { message: `The daemon answered with status ${response.status}`, hint: "See the daemon's log for the reason." };
    throw new AskError(message, hint);
  }
  const total = response.headers.get("total-count");
  try {
    return { value: await response.json() as T, total: total === null ? null : Number(total) };
  } catch (error) {
    throw isAbort(error)
      ? error
      : new AskError("The daemon's answer was incomplete", "The action may have been carried out; check before you try again.");
  }
}

/** Nobody waits for the answer any more. */
function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Both are null while the first answer is on its way. */
interface Asked<T> {
  readonly answer: Answer<T> | null;
  /** Why the last question had no answer; `answer` may still hold an older one. */
  readonly error: AskError | null;
}

/** Asks for `path` (null: nothing), and again when `changed` is another value, but not more often than every `gapMs`. */
export function useAsk<T>(path: string | null, changed: unknown = null, gapMs = 2_000): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { readonly path: string | null }>({ path: null, answer: null, error: null });
  const asking = useRef<ReturnType<typeof askRepeatedly> | null>(null);
  useEffect(() => {
    if (path === null) return;
    const mine = askRepeatedly<T>(path, gapMs, (outcome) => {
      setAsked((before) => ({ path, answer: before.path === path ? before.answer : null, ...outcome }));
    });
    asking.current = mine;
    return () => {
      mine.end();
      asking.current = null;
    };
  }, [path]);
  useEffect(() => asking.current?.again(), [path, changed]);
  return asked.path === path ? asked : { answer: null, error: null };
}

function askRepeatedly<T>(
  path: string,
  gapMs: number,
  tell: (outcome: { readonly answer: Answer<T>; readonly error: null } | { readonly error: AskError }) => void,
) {
  const stop = new AbortController();
  let state: "idle" | "waiting" | "asking" | "asking, and again" = "idle";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastAt = -Infinity;

  async function run(): Promise<void> {
    state = "asking";
    lastAt = Date.now();
    try {
      tell({ answer: await ask<T>(path, stop.signal), error: null });
    } catch (error) {
      if (stop.signal.aborted || !(error instanceof AskError)) return;
      tell({ error });
    }
    const isWanted = (state as string) === "asking, and again";
    state = "idle";
    if (isWanted && !stop.signal.aborted) again();
  }

  function again(): void {
    if (state === "asking") state = "asking, and again";
    if (state !== "idle") return;
    state = "waiting";
    timer = setTimeout(run, Math.max(0, lastAt + gapMs - Date.now()));
  }

  return {
    /** Asks now, or as soon as the gap has passed and the question before it is answered: what changes all the time aborts nothing. */
    again,
    end(): void {
      clearTimeout(timer);
      stop.abort();
    },
  };
}
