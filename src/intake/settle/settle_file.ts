/**
 * Settles one candidate: gathers what is known of it, asks {@linkcode settle}, and once more where its content had to be looked into.
 *
 * @module
 */
import { layoutCards } from "../../domain/names/layout.ts";
import { faultOf } from "../../system/fault.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { unreadable } from "../source_faults.ts";
import { folderOf, lastPart, pathIn } from "../source_path.ts";
import { type Candidate, lookAgain, observation, sameVersion, withContent } from "./candidate.ts";
import { conclude, keepWaiting, refuse } from "./conclude.ts";
import { takingTurns } from "./fair_reads.ts";
import { inspect } from "./inspect.ts";
import { isMarked } from "./marker.ts";
import { statFile } from "./note_files.ts";
import { settle, type Settlement } from "./settle.ts";
import type { WriterOf } from "./writers.ts";

/** What settling a file came to; null where there is nothing to do now. */
export type Outcome =
  | { readonly is: "finished"; readonly candidate: Candidate }
  /** It depends on its writer. */
  | { readonly is: "unsure"; readonly path: string }
  | null;

/** Takes it as far as it goes. Without `writerOf`, nothing is known of its writer yet. */
export async function settleFile(
  context: SettleContext,
  path: string,
  writerOf: WriterOf | null,
  signal: AbortSignal,
): Promise<Outcome> {
  const { candidates, system } = context;
  let candidate = candidates.get(path);
  if (candidate === undefined) return null;
  const start = candidate;
  try {
    const decide = await decider(context, candidate, writerOf);
    let settlement = decide(candidate);
    if (settlement.is === "undecided" && settlement.ask === "content") {
      const cards = context.job.destinations.flatMap(({ layout }) => layoutCards(layout));
      const { size, identity } = candidate.facts;
      const file = { absolutePath: absolute(context, path), name: lastPart(path), size, identity, cards };
      const content = isCostly(path)
        ? await takingTurns(system, signal, (fair) => inspect(file, fair, signal))
        : await inspect(file, system, signal);
      candidate = withContent(candidate, content);
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
export function isCostly(path: string): boolean {
  return /\.gz$/i.test(path);
}

const SOON_MS = 1_000;
