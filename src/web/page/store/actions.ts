/** What the page can do; each says how it came out. */
import { signal } from "@preact/signals";
import { printable } from "../../../domain/names/printable.ts";
import type { AnswerOf, AskOf, PageActions } from "../../../reports/actions.ts";
import { count, plural, withHint } from "../parts/format.ts";
import { ask, AskError } from "./ask.ts";

/** Something to be said; `id` counts up. */
interface Toast {
  readonly id: number;
  readonly level: "good" | "bad";
  readonly text: string;
}

/** What is said now, the oldest first, at most three. */
export const toasts = signal<readonly Toast[]>([]);
/** Longer for a failure: it is to be read. */
const SHOWN_MS = { good: 5_000, bad: 12_000 } as const;
let lastId = 0;

/** Says something for a while. */
function toast(level: Toast["level"], text: string): void {
  const id = ++lastId;
  toasts.value = [...toasts.value.slice(-2), { id, level, text }];
  setTimeout(() => dismiss(id), SHOWN_MS[level]);
}

/** Takes it away before its time; nothing there is fine. */
export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

/** Back into the queue; null for all that are trouble. */
export function retry(ids: readonly number[] | null): Promise<void> {
  return act("retry", { ids }, ({ count: n }) => {
    return n === 0 ? "Nothing to retry: already in the queue" : `${count(n)} ${plural(n, "delivery")} back in the queue`;
  });
}

/** Null for all destinations. */
export function pause(destination: string | null): Promise<void> {
  return act("pause", { destination }, ({ destinations }) => `Paused: ${destinations.join(", ")}`);
}

/** Ends a pause, or a wait: it is tried at once. */
export function resume(destination: string | null): Promise<void> {
  return act("resume", { destination }, ({ destinations, retrying }) => {
    const all = { Resumed: destinations, Retrying: retrying };
    return Object.entries(all).flatMap(([what, names]) => names.length === 0 ? [] : `${what}: ${names.join(", ")}`).join(". ");
  });
}

/** Without a job, all. */
export function scan(job?: string): Promise<void> {
  return act("scan", job === undefined ? {} : { job }, ({ jobs }) => {
    return jobs.length < 2 ? "Scanning for new images" : `Scanning for new images: ${jobs.join(", ")}`;
  });
}

/** Ends a job that the PocketBase server no longer has. */
export function acceptRemoved(job: string): Promise<void> {
  return act("accept-removed", { job }, ({ jobs }) => `No longer running here: ${jobs.join(", ")}`);
}

/** Has another computer of the fleet do something; an empty `argument` means all of its destinations or jobs. */
export async function command(
  computer: string,
  action: string,
  argument: string,
): Promise<void> {
  const said = (state: string, answer: string) =>
    `${printable(computer)}: ${state}${answer === "" ? "" : ` (${printable(answer)})`}`;
  try {
    const { value: { state, answer } } = await ask<AnswerOf<PageActions["fleet/command"]>>("/api/fleet/command", undefined, {
      computer,
      action,
      argument,
    });
    toast(
      state === "done" ? "good" : "bad",
      said(state === "waiting" ? "no answer yet; it has an hour to carry it out" : state, answer),
    );
  } catch (error) {
    tell(error);
  }
}

async function act<K extends keyof PageActions>(
  name: K,
  body: AskOf<PageActions[K]>,
  done: (answer: AnswerOf<PageActions[K]>) => string,
): Promise<void> {
  try {
    const { value } = await ask<AnswerOf<PageActions[K]>>(`/api/${name}`, undefined, body);
    toast("good", done(value));
  } catch (error) {
    tell(error);
  }
}

function tell(error: unknown): void {
  if (!(error instanceof AskError)) throw error;
  toast("bad", withHint(error));
}
