/**
 * Settles candidates as far as that can be done now, asking {@linkcode settle} with what is known of each, and has those admitted that are
 * finished. One file's failure is that file's alone.
 */
import { folderOf, lastPart, pathIn } from "../../domain/names/file_name.ts";
import { sharedDeadline } from "../../async/deadline.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { layoutCards } from "../../domain/names/layout.ts";
import { admitFinished, compareKnown, isReadWhole } from "../admit/admit_finished.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { type Candidate, lookAgain, observation, sameVersion, withContent, withoutStaleContent } from "./candidate.ts";
import { conclude, keepWaiting, type NoteOptions, refuse, statFile, statFiles } from "./note_files.ts";
import { inspect, SLICE_BYTES, takingTurns } from "./inspect.ts";
import { isMarked } from "../patterns.ts";
import { settle, type Settlement } from "./settle.ts";
import type { WriterOf } from "./writers.ts";
import { unreadable } from "../source_faults.ts";
import { faultOf } from "../../system/fault.ts";

/**
 * Settles these candidates; returns how many were admitted. Writers are asked about in one look for all files that depend on them; the
 * others do not wait for it.
 */
export async function settleFiles(context: SettleContext, paths: readonly string[], signal: AbortSignal): Promise<number> {
  const { candidates, system, writers } = context;
  const { admitted, unsure } = await settleBegun(context, candidates.begin(paths), null, signal);
  if (unsure.length === 0) return admitted;
  const answered = candidates.ask(unsure);
  try {
    const writerOf = await writers.of(unsure.map((path) => absolute(context, path)), signal);
    return admitted + (await settleBegun(context, answered(), writerOf, signal)).admitted;
  } finally {
    // Without an answer.
    for (const path of answered()) candidates.end(path, system.monotonic() + FAILED_AGAIN_MS);
  }
}

/** Looks at these files again before it settles them. */
export async function settleAgain(
  context: SettleContext,
  paths: readonly string[],
  signal: AbortSignal,
  options: NoteOptions = {},
): Promise<number> {
  return await settleFiles(context, await statFiles(context, paths, signal, options), signal);
}

/**
 * Settles those that were begun. Without `writerOf`, nothing is known of their writers yet. Returns how many were admitted, and the files
 * that depend on their writers: they are still being settled.
 */
async function settleBegun(
  context: SettleContext,
  begun: readonly string[],
  writerOf: WriterOf | null,
  signal: AbortSignal,
): Promise<{ readonly admitted: number; readonly unsure: readonly string[] }> {
  const { candidates, system, comparing } = context;
  /** Those that end later, whatever becomes of the others. */
  const later = new Set<string>();
  const end = (path: string, afterMs: number) => candidates.end(path, system.monotonic() + afterMs);
  /** Nobody waits for it. Until it is known what becomes of the file, the file waits for that alone. */
  const checkBeside = async (path: string, work: () => Promise<unknown>) => {
    later.add(path);
    const before = candidates.get(path);
    if (before) candidates.put({ ...before, state: { is: "waiting", reason: "checking", again: Infinity } });
    let afterMs = 0;
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) context.onError(error);
      afterMs = FAILED_AGAIN_MS;
    }
    const after = candidates.get(path);
    const isUndecided = after?.state.is === "waiting" && after.state.reason === "checking";
    if (after && isUndecided) candidates.put(lookAgain(after, system.monotonic() + afterMs));
    end(path, afterMs);
  };
  const settleEach = async () => {
    using limit = sharedDeadline(PATIENCE_MS, system);
    const atOnce = begun.some(isCostly) ? COSTLY_AT_ONCE : LOOKS_AT_ONCE;
    return await mapLimit(begun, atOnce, async (path) => {
      const settling = settleFile(context, path, writerOf, signal);
      if (await limit.inTime(settling)) return await settling;
      // An open can take minutes.
      void checkBeside(path, () => settling);
      return null;
    }, signal);
  };
  let againMs = FAILED_AGAIN_MS;
  try {
    const outcomes = await settleEach();
    const all = outcomes.flatMap((outcome) => outcome?.is === "finished" ? [outcome.candidate] : []);
    const [known, fresh] = [true, false].map((recheck) => all.filter((one) => one.recheck === recheck)) as [
      Candidate[],
      Candidate[],
    ];
    const isSlow = (candidate: Candidate) => candidate.facts.size > SLICE_BYTES && isReadWhole(context, candidate);
    for (const candidate of fresh.filter(isSlow)) {
      void checkBeside(candidate.facts.path, () => admitFinished(context, [candidate], signal));
    }
    for (const candidate of known) {
      const { path } = candidate.facts;
      later.add(path);
      void comparing.start(() => compareKnown(context, candidate, signal).finally(() => end(path, FAILED_AGAIN_MS)), signal);
    }
    const quick = fresh.filter((one) => !isSlow(one));
    context.looks.begin(
      [...known, ...quick].filter(({ closed }) => closed)
        .map(({ facts }) => ({ ...facts, absolutePath: absolute(context, facts.path) })),
    );
    const admitted = await admitFinished(context, quick, signal);
    againMs = 0;
    const unsure = outcomes.flatMap((outcome) => outcome?.is === "unsure" && writerOf === null ? [outcome.path] : []);
    for (const path of unsure) later.add(path);
    return { admitted, unsure };
  } finally {
    for (const path of begun) if (!later.has(path)) end(path, againMs);
  }
}

const COSTLY_AT_ONCE = 8;
/** Short looks: many at once are cheaper than many one by one. */
const LOOKS_AT_ONCE = 128;
/** A file that another machine has leased opens after 45 s, one that must be fetched from a tape after hours. */
const PATIENCE_MS = 5_000;
/** After an error that is not the file's, the ledger's for example. */
const FAILED_AGAIN_MS = 5_000;

/** What settling a file came to; null where there is nothing to do now. */
type Outcome =
  | { readonly is: "finished"; readonly candidate: Candidate }
  /** It depends on its writer. */
  | { readonly is: "unsure"; readonly path: string }
  | null;

/** Takes it as far as it goes. Without `writerOf`, nothing is known of its writer yet. */
async function settleFile(
  context: SettleContext,
  path: string,
  writerOf: WriterOf | null,
  signal: AbortSignal,
): Promise<Outcome> {
  const { candidates, system } = context;
  const start = candidates.get(path);
  if (start === undefined) return null;
  let candidate = withoutStaleContent(start);
  try {
    const decide = await decider(context, candidate, writerOf);
    let settlement = decide(candidate);
    if (settlement.is === "undecided" && settlement.ask === "content") {
      const cards = context.job.destinations.flatMap(({ layout }) => layoutCards(layout));
      const { size, identity } = candidate.facts;
      const file = { absolutePath: absolute(context, path), name: lastPart(path), size, identity, cards };
      const readAt = system.monotonic();
      const content = isCostly(path)
        ? await takingTurns(system, signal, (fair) => inspect(file, fair, signal))
        : await inspect(file, system, signal);
      candidate = withContent(candidate, content, readAt);
      if (!candidates.isCurrent(start)) return null;
      candidates.put(candidate);
      settlement = decide(candidate);
    }
    if (settlement.is === "undecided") return { is: "unsure", path };
    const finished = conclude(context, candidate, settlement);
    return finished && { is: "finished", candidate: finished };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    await whenUnreadable(context, start, error);
    return null;
  }
}

/** Gathers what is known without a look into the content, and asks {@linkcode settle} with it. */
async function decider(
  context: SettleContext,
  { facts }: Candidate,
  writerOf: WriterOf | null,
): Promise<(candidate: Candidate) => Settlement> {
  const { job, system, writers } = context;
  const { path, mtimeMs } = facts;
  const local = await writers.isLocal(facts, absolute(context, folderOf(path)));
  const marker = job.completeness === "marker" && await isMarked(
    { name: lastPart(path), mtimeMs },
    job.marker,
    (name) => system.facts(absolute(context, pathIn(folderOf(path), name))),
  );
  const costly = isCostly(path);
  const writer = writerOf === null ? {} : { writer: writerOf(absolute(context, path), local) };
  return (candidate) => {
    const at = { now: system.monotonic(), wall: system.now(), local, costly, marker, ...writer };
    return settle(observation(candidate, at), job);
  };
}

/** The file cannot be read: now, or until it changes. */
async function whenUnreadable(context: SettleContext, candidate: Candidate, error: unknown): Promise<void> {
  const { candidates, system } = context;
  const soon = () => candidates.put(lookAgain(candidate, system.monotonic() + SOON_MS));
  const give = () => refuse(context, candidate, unreadable(candidate.facts.path, error));
  switch (faultOf(error)) {
    case "busy":
      return keepWaiting(context, candidate, { is: "waiting", reason: "writer open", againMs: SOON_MS });
    case "too_many_open_files":
    case "changed":
      return soon();
    case "not_found": {
      // Gone, replaced just now, or listed by a disk that cannot find it.
      const facts = await statFile(context, candidate.facts.path);
      if (facts === null) return;
      return sameVersion(facts, candidate.facts) ? give() : soon();
    }
    default:
      return give();
  }
}

/** Whether the whole file is read before anything can be said of it. */
function isCostly(path: string): boolean {
  return /\.gz$/i.test(path);
}

const SOON_MS = 1_000;
