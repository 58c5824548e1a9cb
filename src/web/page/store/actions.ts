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

type Answered = Omit<PageActions, "doctor">;

/** What is said when something was done: all is well, unless it says otherwise. */
const SAID: {
  readonly [K in keyof Answered]: (
    answer: AnswerOf<Answered[K]>,
    asked: AskOf<Answered[K]>,
  ) => string | Pick<Toast, "level" | "text">;
} = {
  retry: ({ count: n }) =>
    n === 0 ? "Nothing to retry: already in the queue" : `${count(n)} ${plural(n, "delivery")} back in the queue`,
  pause: ({ destinations }) => `Paused: ${destinations.join(", ")}`,
  resume: ({ destinations, retrying }) =>
    Object.entries({ Resumed: destinations, Retrying: retrying })
      .flatMap(([what, names]) => names.length === 0 ? [] : `${what}: ${names.join(", ")}`).join(". "),
  scan: ({ jobs }) => jobs.length < 2 ? "Scanning for new images" : `Scanning for new images: ${jobs.join(", ")}`,
  "accept-removed": ({ jobs }) => `No longer running here: ${jobs.join(", ")}`,
  "fleet/command": ({ state, answer }, { computer }) => {
    const what = state === "waiting" ? "no answer yet; it has an hour to carry it out" : state;
    const text = `${printable(computer)}: ${what}${answer === "" ? "" : ` (${printable(answer)})`}`;
    return { level: state === "done" ? "good" : "bad", text };
  },
};

/** Has it done, and says how it came out. */
export async function act<K extends keyof Answered>(name: K, asked: AskOf<Answered[K]>): Promise<void> {
  try {
    const { value } = await ask<AnswerOf<Answered[K]>>(`/api/${name}`, undefined, asked);
    const said = SAID[name](value, asked);
    if (typeof said === "string") toast("good", said);
    else toast(said.level, said.text);
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    toast("bad", withHint(error));
  }
}
