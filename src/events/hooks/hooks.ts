/**
 * Calls the hooks of all jobs, each in its own time: a hook that fails, hangs or is away delays no other hook and no delivery.
 *
 * What must not be lost comes from the ledger, in order; a hook's position there moves on when it has been called. Everything else is
 * told if its queue has room.
 */
import { type Bell, bell } from "../../async/bell.ts";
import type { Job, Settings } from "../../config/settings.ts";
import { backOff, type FailureRecord, failureRecord, withHint } from "../../domain/failure.ts";
import { type Hook, type HookEvent, type HookEventName, KEPT_EVENTS } from "../../domain/hook.ts";
import { globs } from "../../domain/names/globs.ts";
import type { Emit, TransferEvent } from "../../domain/transfer_event.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { callHook, type HookSystem } from "./call_hook.ts";
import { join } from "@std/path";
import { basename } from "@std/path/posix";
import { counted } from "../../domain/words.ts";
import { printable } from "../../domain/names/printable.ts";
import type { HookNote } from "../../ledger/outbox_ledger.ts";

/** The events that the ledger has kept something of. */
const KEPT_BY: ReadonlySet<TransferEvent["type"]> = new Set(["delivered", "failed", "audit_found", "report"]);
const TRIES = 3;
const FIRST_PAUSE_MS = 1_000;
const RETRY_MS = 5_000;
const AT_ONCE = 50;
const LOOK_MS = 60_000;
/** Events of the kind that are not kept, for each hook. */
const MOST_WAITING = 1_000;
/** Events that are kept, for all hooks: about 100 MB. */
const MOST_KEPT = 500_000;

interface Running {
  readonly job: string;
  readonly hook: Hook;
  /** Its position in the ledger is kept under it. */
  readonly key: string;
  readonly name: string;
  readonly wants: (event: HookEvent) => boolean;
  readonly queue: { readonly event: HookEvent; readonly id: string }[];
  readonly bell: Bell;
  readonly stop: AbortController;
  /** The note up to which it was called, also where the ledger could not be told. */
  told: number;
  over: Promise<void>;
}

export type Hooks = ReturnType<typeof hooks>;

export function hooks(
  { system, ledger, emit }: {
    readonly system: HookSystem;
    readonly ledger: Pick<
      Ledger,
      | "instance"
      | "keepForHooks"
      | "noteReport"
      | "hookNotes"
      | "hookPosition"
      | "advanceHook"
      | "keepHooks"
      | "hookBacklog"
      | "boundHookNotes"
    >;
    readonly emit: Emit;
  },
) {
  const running = new Map<string, Running>();
  let jobs: readonly Job[] = [];
  let passed = 0;
  const ending: Promise<void>[] = [];

  function start(key: string, job: string, hook: Hook): Running {
    const one: Running = {
      key,
      job,
      hook,
      name: hookName(hook),
      wants: wanting(job, hook),
      queue: [],
      bell: bell(system),
      stop: new AbortController(),
      told: 0,
      over: Promise.resolve(),
    };
    one.over = attend(one).catch((error) => {
      if (!one.stop.signal.aborted) throw error;
    });
    return one;
  }

  /** Calls one hook for what waits, until it is stopped. While the ledger cannot be written (its disk is full), it tries again. */
  async function attend(one: Running): Promise<void> {
    const { signal } = one.stop;
    for (let isTold = false; !signal.aborted;) {
      try {
        if (!await callForAll(one)) await one.bell.wait(LOOK_MS, signal);
        isTold = false;
      } catch (error) {
        signal.throwIfAborted();
        const message = `Hook ${one.name} of job ${one.job}: ${failureRecord(error).message}. Retrying`;
        if (!isTold) emit({ type: "notice", level: "error", message, error });
        isTold = true;
        await one.bell.wait(RETRY_MS, signal);
      }
    }
  }

  /** False where nothing of what is kept waits. As far as it came, it is not called again. */
  async function callForAll(one: Running): Promise<boolean> {
    const notes = ledger.hookNotes(Math.max(one.told, ledger.hookPosition(one.key)), AT_ONCE);
    await callForPassing(one);
    try {
      for (const note of notes) {
        const event = keptEvent(note);
        if (one.wants(event)) await call(one, event, `${ledger.instance}-${note.id}`);
        one.told = note.id;
        await callForPassing(one);
      }
    } finally {
      if (one.told > ledger.hookPosition(one.key)) ledger.advanceHook(one.key, one.told);
    }
    if (notes.length > 0) return true;
    const lost = ledger.boundHookNotes(MOST_KEPT);
    if (lost > 0) {
      emit({ type: "notice", level: "error", message: `${lost} events were dropped: a hook has been away for too long` });
    }
    return false;
  }

  async function callForPassing(one: Running): Promise<void> {
    for (let next = one.queue.shift(); next !== undefined; next = one.queue.shift()) await call(one, next.event, next.id);
  }

  /** Calls the hook until the event is over: for one that is kept, when that worked; for others after a few times. */
  async function call(one: Running, event: HookEvent, id: string): Promise<void> {
    const { signal } = one.stop;
    const isKept = (KEPT_EVENTS as readonly HookEventName[]).includes(event.event);
    for (let tries = 1;; tries++) {
      signal.throwIfAborted();
      const { result, said } = await callHook(one.hook, event, id, system, signal);
      const mayStillWork = result === "wait" && isKept || result !== "refused" && tries < TRIES;
      const end = result === "ok" ? "ok" : mayStillWork ? "late" : "given_up";
      emit({ type: "hook", job: one.job, hook: one.name, on: event.event, result: end, tries, said });
      if (end !== "late") return;
      await system.sleep(backOff(tries, FIRST_PAUSE_MS, system.random()), signal);
    }
  }

  return {
    listen(event: TransferEvent): void {
      if (running.size === 0) return;
      if (event.type === "report") ledger.noteReport(event.text, event.at);
      // What an audit finds is kept as a failure.
      if (KEPT_BY.has(event.type)) {
        for (const one of running.values()) one.bell.ring();
        return;
      }
      const told = passingEvent(event, jobs);
      if (told === null) return;
      const id = `${ledger.instance}-${system.now()}-${passed++}`;
      for (const one of running.values()) {
        if (!one.wants(told)) continue;
        // The newest tell most.
        if (one.queue.length >= MOST_WAITING) one.queue.shift();
        one.queue.push({ event: told, id });
        one.bell.ring();
      }
    },
    /** Makes the hooks of these jobs the active ones; a hook that stays continues. Without hooks nothing is kept and nothing runs. */
    adopt(settings: Pick<Settings, "jobs">): void {
      jobs = settings.jobs;
      const wanted = new Map(
        jobs.flatMap((job) => job.hooks.map((hook) => [keyOf(job.name, hook), { job: job.name, hook }] as const)),
      );
      for (const [key, one] of running) {
        if (JSON.stringify(wanted.get(key)?.hook) === JSON.stringify(one.hook)) continue;
        one.stop.abort();
        ending.push(one.over);
        running.delete(key);
      }
      ledger.keepForHooks(KEPT_EVENTS.filter((event) => [...wanted.values()].some(({ hook }) => hook.on.includes(event))));
      ledger.keepHooks([...wanted.keys()]);
      for (const [key, { job, hook }] of wanted) if (!running.has(key)) running.set(key, start(key, job, hook));
    },
    /** For each hook, how many events wait for it: kept ones of all kinds, and others that it wants. */
    waiting: (): { readonly job: string; readonly hook: string; readonly waiting: number }[] =>
      [...running.values()].map(({ job, key, name, queue }) => ({
        job,
        hook: name,
        waiting: ledger.hookBacklog(key) + queue.length,
      })),
    /** Calls no more hooks; a call under way is ended. What is kept is told by the next start. */
    async stop(): Promise<void> {
      for (const { stop } of running.values()) stop.abort();
      await Promise.all([...ending, ...[...running.values()].map(({ over }) => over)]);
    },
  };
}

function wanting(job: string, { on, destinations, patterns }: Hook): (event: HookEvent) => boolean {
  const matches = patterns === null ? null : globs(patterns);
  return (event) =>
    on.includes(event.event) &&
    (event.job === null || event.job === job) &&
    (destinations === null || event.destination === null || destinations.includes(event.destination)) &&
    (matches === null || event.name === null || matches(event.name));
}

/** A time limit or a secret may change, and the hook continues where it was. */
function keyOf(job: string, { on, receiver }: Hook): string {
  return JSON.stringify([job, on, receiver.kind === "command" ? receiver.argv : receiver.url]);
}

/** How people call a hook: its program, or the host of its address. */
export function hookName({ receiver }: Hook): string {
  // The rest of an address may be a secret.
  return receiver.kind === "command" ? receiver.argv[0] ?? "" : new URL(receiver.url).host;
}

/** An event that need not be kept, for the hooks of its job; null for all others. */
function passingEvent(event: TransferEvent, jobs: readonly Job[]): HookEvent | null {
  switch (event.type) {
    case "created":
    case "changed":
    case "removed":
    case "ready": {
      const job = jobs.find(({ name }) => name === event.job);
      if (job === undefined) return null;
      const path = join(job.watchPath, event.path);
      const size = event.type === "ready" ? event.size : null;
      return {
        ...nothing(event.type, event.at),
        job: event.job,
        path,
        name: basename(event.path),
        size,
        text: `${WORDS[event.type]}: ${printable(path)}`,
      };
    }
    case "run_started": {
      const job = jobs.find(({ name }) => name === event.job);
      if (job === undefined) return null;
      const text = `Run of job ${event.job} started: ${counted(event.waiting, "delivery", "deliveries")} waiting`;
      return { ...nothing("scheduled", event.at), job: event.job, trigger_type: "scheduled", path: job.watchPath, text };
    }
    case "trouble": {
      if (event.failure === null) return { ...nothing("resumed", event.at), text: "image-transfer is delivering again" };
      const text = `image-transfer cannot deliver: ${withHint(event.failure)}`;
      return { ...nothing("held", event.at), error: errorOf(event.failure), text };
    }
    case "destination": {
      const { now, before, name: destination, job } = event;
      if (now.state === "on_hold") {
        // The same hold, only worded differently: nobody is told again.
        if (before.state === "on_hold" && before.failure.code === now.failure.code) return null;
        const text = `${destination} is on hold: ${withHint(now.failure)}`;
        return { ...nothing("held", event.at), job, destination, error: errorOf(now.failure), text };
      }
      if (before.state !== "on_hold" || now.state !== "open") return null;
      return { ...nothing("resumed", event.at), job, destination, text: `${destination} is accepting files again` };
    }
    default:
      return null;
  }
}

function keptEvent(note: HookNote): HookEvent {
  if (note.event === "report") return { ...nothing("report", note.at), text: note.text };
  const { source: { job, absolutePath, path, size }, destination, target, method, night, state } = note.delivery;
  const about = { job, path: absolutePath, name: basename(path), size, destination, target, method, night };
  // A line feed in a name must not make lines of its own in a message.
  const shown = printable(about.name);
  if (note.event === "delivered") {
    const sha256 = state.state === "delivered" ? state.receipt.sha256 : null;
    return { ...nothing("delivered", note.at), ...about, sha256, text: `${shown} is on ${destination}` };
  }
  // Found by an audit: its message says what became of it.
  const isLost = note.failure.code === "damaged" || note.failure.code === "vanished";
  const what = isLost ? shown : `${shown} could not be delivered to ${destination}`;
  const text = `${what}: ${withHint(note.failure)}`;
  return { ...nothing("failed", note.at), ...about, error: note.failure, text };
}

function errorOf({ code, message, hint }: FailureRecord): HookEvent["error"] {
  return { code, message, hint };
}

function nothing(event: HookEvent["event"], at: number): Omit<HookEvent, "text"> {
  return {
    event,
    at: new Date(at).toISOString(),
    job: null,
    trigger_type: "file_change",
    path: null,
    name: null,
    size: null,
    destination: null,
    target: null,
    method: null,
    sha256: null,
    night: null,
    error: null,
  };
}

const WORDS = { created: "Created", changed: "Changed", removed: "Removed", ready: "Finished" } as const;
