/**
 * Questions to the daemon over HTTP, and what is asked again when something changes.
 *
 * @module
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiFailure } from "../../../reports/api_types.ts";
import { sessionIsOver } from "./connection.ts";

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
  if (!response.ok) throw await refusal(response);
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

async function refusal(response: Response): Promise<AskError> {
  try {
    const { error } = await response.json() as ApiFailure;
    return new AskError(error.message, error.hint);
  } catch {
    return new AskError(`The daemon answered with status ${response.status}`, "See the daemon's log for the reason.");
  }
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
  const last = useRef({ path: "", at: 0 });
  useEffect(() => {
    if (path === null) return;
    const end = new AbortController();
    const waitMs = last.current.path === path ? Math.max(0, last.current.at + gapMs - Date.now()) : 0;
    const timer = setTimeout(async () => {
      last.current = { path, at: Date.now() };
      try {
        const answer = await ask<T>(path, end.signal);
        setAsked({ path, answer, error: null });
      } catch (error) {
        if (end.signal.aborted || !(error instanceof AskError)) return;
        setAsked((before) => ({ path, answer: before.path === path ? before.answer : null, error }));
      }
    }, waitMs);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [path, changed]);
  return asked.path === path ? asked : { answer: null, error: null };
}
