/**
 * Removes source files that are verified at all their destinations (I4; only with `delete_source`). Just before, the source and
 * every destination are checked again.
 */
import { dirname, join } from "@std/path";
import { Failure, failureRecord } from "../domain/failure.ts";
import type { Job } from "../config/settings.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { sameFingerprint, type SourceFile } from "../domain/source_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { faultOf } from "../system/fault.ts";
import type { OutboxLedger, Removable } from "../ledger/outbox_ledger.ts";
import { crashPoint } from "./crash_point.ts";
import type { Outbox } from "./outbox.ts";
import type { System } from "../system/system.ts";
import { createHash } from "node:crypto";
import { printable } from "../domain/names/printable.ts";
import { isOnlyOurs, wayTo } from "../system/way_to.ts";

const AT_ONCE = 500;

/** Source removal of one job; does nothing unless the job asks for it and every destination compares checksums. */
export function sourceRemoval(job: Job, outboxes: readonly Outbox[], { system, ledger, emit, wantedByOthers }: {
  readonly system: System;
  readonly ledger: Pick<OutboxLedger, "removable" | "markRemoved">;
  readonly emit: Emit;
  /** Whether another job has still to deliver it. */
  readonly wantedByOthers?: (candidate: Removable) => boolean;
}) {
  const { name, watchPath } = job;
  const destinations = job.destinations.map((one) => one.name);
  const guarded = guardedRemoval(job, { system, emit });
  const allowed = job.deleteSource && job.destinations.length > 0 &&
    job.destinations.every(({ verify }) => verify === "checksum");
  let running: Promise<void> | null = null;
  let again = false;

  async function removeAll(signal: AbortSignal): Promise<void> {
    for (let after = 0; !signal.aborted;) {
      const found = ledger.removable(name, destinations, AT_ONCE, { watchPath, after });
      const last = found.at(-1);
      if (last === undefined) return;
      after = last.versionId;
      const candidates = found.filter((candidate) => !wantedByOthers?.(candidate));
      // The ledger blocks everything else.
      if (candidates.length === 0) await system.sleep(0, signal);
      const present = await presentEverywhere(candidates, outboxes, signal);
      // What a program is about to write to it would be lost.
      const open = await system.openForWriting([...present].map(({ source }) => source.absolutePath), signal);
      const removed: number[] = [];
      for (const candidate of candidates) {
        // After a reload the job may have other destinations.
        if (signal.aborted) break;
        if (open?.has(candidate.source.absolutePath) || !present.has(candidate)) continue;
        if (await removeOne(candidate, signal)) removed.push(candidate.versionId);
      }
      if (removed.length > 0) ledger.markRemoved(removed, system.now());
    }
  }

  /** True when the source is gone afterwards, by us or by somebody else. */
  async function removeOne(candidate: Removable, signal: AbortSignal): Promise<boolean> {
    const { source, versionId } = candidate;
    // By its facts, it is the version that was delivered.
    const isStill = async () => {
      const facts = await system.facts(source.absolutePath);
      const isSame = facts?.kind === "file" && sameFingerprint(facts, source) && facts.ctimeMs === source.ctimeMs;
      return isSame && await isInside(source, system);
    };
    try {
      if (await system.facts(source.absolutePath) === null) return await system.followedFacts(watchPath) !== null;
      const remove = await guarded.prepare(source, signal);
      if (remove === null) return false;
      // A ctime in whole seconds does not show a rewrite in the same second, so the file is read, and then checked once more.
      if (!await isStill() || !await isProven(candidate, system, signal) || !await isStill() || signal.aborted) return false;
      // Reading may have taken long: meanwhile an audit may have found a copy damaged, a person may have asked to send it again, or a reload
      // may want it elsewhere.
      const isRemovable = ledger.removable(name, destinations, 1, { watchPath, versionId }).length > 0;
      if (!isRemovable || wantedByOthers?.(candidate) || !await remove()) return false;
    } catch (error) {
      if (signal.aborted || faultOf(error) === "not_found") return false;
      const message = `Cannot remove the delivered source "${source.absolutePath}": ${reasonOf(error)}`;
      emit({ type: "notice", level: "warning", message });
      return false;
    }
    crashPoint("after_source_removed", system);
    emit({ type: "removed_source", job: name, path: source.path });
    return true;
  }

  async function passes(signal: AbortSignal): Promise<void> {
    do {
      again = false;
      try {
        await removeAll(signal);
      } catch (error) {
        const message = `Cannot remove delivered sources: ${failureRecord(error).message}`;
        emit({ type: "notice", level: "warning", message });
      }
    } while (again && !signal.aborted);
    // At once: who asks from now on must not wait for this pass.
    running = null;
  }

  return {
    /** Puts back what a process that ended had moved and not yet removed. Never throws. */
    restore: (): Promise<void> => guarded.restore(),
    /** Removes what can be removed now; calls during a pass share one more pass. Never throws. */
    async pass(signal: AbortSignal): Promise<void> {
      if (!allowed) return;
      if (running) {
        again = true;
        return await running;
      }
      running = passes(signal);
      await running;
    },
  };
}

/** The candidates that every destination still has: of the same size, and with the same hash if others may replace them. */
async function presentEverywhere(
  candidates: readonly Removable[],
  outboxes: readonly Outbox[],
  signal: AbortSignal,
): Promise<ReadonlySet<Removable>> {
  const present = new Set(candidates);
  if (candidates.length === 0) return present;
  const bytes = candidates.reduce((sum, { source }) => sum + source.size, 0);
  for (const outbox of outboxes) {
    const { name, onConflict } = outbox.destination;
    const here = candidates.map(({ deliveries }) => deliveries.find(({ destination }) => destination === name));
    const targets = here.map((delivery) => delivery?.target ?? "");
    const session = outbox.session();
    const stats = await session?.survey(targets, signal);
    // Images of one camera all have the same size: only the hash shows that another file has this name now.
    const hashed = onConflict === "overwrite" ? await session?.digest(targets, bytes, signal) ?? null : undefined;
    candidates.forEach((candidate, index) => {
      const state = here[index]?.state;
      const proven = state?.state === "delivered" ? state.receipt.sha256 : null;
      const same = hashed === undefined || (proven !== null && hashed?.[index]?.sha256 === proven);
      if (!same || proven === null || stats?.[index]?.bytes !== candidate.source.size) present.delete(candidate);
    });
    const targetOf = new Map(candidates.map((candidate, index) => [candidate, targets[index]!]));
    for (const lost of await notKept([...present], targetOf, session, signal)) present.delete(lost);
  }
  return present;
}

/** Those whose copies cannot be flushed, or are reached by a link of another account: such a copy is not the destination's. */
async function notKept(
  candidates: readonly Removable[],
  targetOf: ReadonlyMap<Removable, string>,
  session: ReturnType<Outbox["session"]>,
  signal: AbortSignal,
): Promise<readonly Removable[]> {
  if (candidates.length === 0) return [];
  try {
    await session?.flush(candidates.map((candidate) => targetOf.get(candidate)!), signal);
    return [];
  } catch (error) {
    if (!(error instanceof Failure) || error.next !== "never") throw error;
    if (candidates.length === 1) return candidates;
    // The others are as good as before.
    const lost: Removable[] = [];
    for (const candidate of candidates) lost.push(...await notKept([candidate], targetOf, session, signal));
    return lost;
  }
}

/** Its bytes are what every destination has. */
async function isProven({ source, receipts }: Removable, system: System, signal: AbortSignal): Promise<boolean> {
  const { sha256 } = await system.hash(source, signal);
  return receipts.every((receipt) => receipt.sha256 === sha256);
}

/** None of its folders has become a symlink: a file that was moved out of the watched folder must not be removed. */
async function isInside({ path, absolutePath }: SourceFile, system: System): Promise<boolean> {
  const depth = path.split("/").length - 1;
  let folder = absolutePath;
  for (let level = 0; level < depth; level++) {
    folder = dirname(folder);
    if ((await system.facts(folder))?.kind !== "folder") return false;
  }
  return true;
}

/**
 * Removes sources where another account may exchange a folder on the way to them at any moment. What is removed is first moved into
 * a folder of ours, in which nobody else can exchange anything, and looked at there. If it is another file, it is put back.
 */
export function guardedRemoval(job: Job, { system, emit }: { readonly system: System; readonly emit: Emit }) {
  const hash = createHash("sha256").update(`${job.name}\0${job.watchPath}`).digest("hex");
  const name = `.image-transfer-removing-${hash.slice(0, 16)}`;
  // What was said already.
  const told = new Set<string>();

  const isThere = async (folder: string) => (await system.followedFacts(folder))?.kind === "folder";

  async function isOurs(place: string): Promise<boolean> {
    const facts = await system.facts(place);
    return facts?.kind === "folder" && (facts.uid ?? system.uid) === system.uid && (facts.mode & 0o022) === 0;
  }

  /** A folder of ours; null where there can be none. */
  async function placeFor({ absolutePath }: SourceFile): Promise<string | null> {
    const device = (await system.facts(absolutePath))?.device ?? "";
    for (const base of basesOf(job.watchPath)) {
      if (device === "" || (await system.followedFacts(base))?.device !== device || !await isOnlyOurs(base, system)) continue;
      const place = join(base, name);
      // Not allowed to, or read-only.
      const isMade = await system.makeInside(place, 0o700).then(() => true, () => false);
      const isUsable = isMade && await isOurs(place);
      if (isMade) await tidy(place, place);
      if (isUsable) return place;
    }
    return null;
  }

  async function moveAndRemove(place: string, source: SourceFile): Promise<boolean> {
    const moved = join(place, source.path);
    // What could not be put back.
    if (await system.facts(moved) !== null) return false;
    await system.makeFolder(dirname(moved), 0o700);
    try {
      await system.rename(source.absolutePath, moved);
      crashPoint("after_source_moved", system);
      const facts = await system.facts(moved);
      const isSource = facts?.kind === "file" && sameFingerprint(facts, source);
      if (isSource) await system.remove(moved);
      else await putBack(moved, source.absolutePath, TRIES);
      return isSource;
    } finally {
      await tidy(place, dirname(moved));
    }
  }

  /**
   * Never replaces anything. What was taken from behind a link goes back there: its name is free there alone, so it is tried until the
   * link is there again.
   */
  async function putBack(moved: string, path: string, tries: number): Promise<void> {
    for (let tried = 0; tried < tries; tried++) {
      if (tried > 0) await system.sleep(AGAIN_MS);
      const isLinked = await system.link(moved, path).then(() => true, () => false);
      if (isLinked) return await system.remove(moved);
      // Without hard links, or for a folder.
      if (await system.facts(path).catch(() => undefined) === null && await isThere(dirname(path))) {
        return await system.rename(moved, path);
      }
    }
    const message =
      `Cannot put "${printable(path)}" back: another file has its name. It was moved to "${printable(moved)}" because ` +
      "another account exchanged a folder while delete_source removed files; move it where it belongs";
    emit({ type: "notice", level: "error", message });
  }

  async function putBackAll(place: string, folder: string): Promise<void> {
    for (const { name, facts } of (await system.list(folder)).entries) {
      const moved = join(folder, name);
      if (facts.kind === "folder") await putBackAll(place, moved);
      else {
        const path = join(job.watchPath, moved.slice(place.length + 1));
        await system.makeFolder(dirname(path));
        await putBack(moved, path, 1);
      }
    }
    await tidy(place, folder);
  }

  /** Removes the folders that are empty now, from the innermost up to the one of ours. */
  async function tidy(place: string, innermost: string): Promise<void> {
    for (let folder = innermost; folder.length >= place.length; folder = dirname(folder)) {
      const isRemoved = await system.remove(folder).then(() => true, () => false);
      if (!isRemoved) return;
    }
  }

  return {
    /**
     * To be called before the last look at a source: gives what removes it afterwards, which gives false where the file was not the
     * source, or may not be. Null where it cannot be removed safely now.
     */
    async prepare(source: SourceFile, signal: AbortSignal): Promise<(() => Promise<boolean>) | null> {
      const folder = dirname(source.absolutePath);
      let way = await wayTo(folder, job.watchPath, system);
      if (way.is === "fresh") await system.sleep(FRESH_MS, signal);
      if (way.is !== "steady") way = await wayTo(folder, job.watchPath, system);
      // Folders are being exchanged.
      if (way.is !== "steady") return null;
      const { exchangeable: [unsafe], state } = way;
      if (unsafe === undefined) return () => system.remove(source.absolutePath).then(() => true);
      const place = await placeFor(source);
      if (place !== null) {
        return async () => (await wayTo(folder, job.watchPath, system)).state === state && await moveAndRemove(place, source);
      }
      const message =
        `Job ${job.name} keeps its delivered sources: other accounts may rename what is in "${
          printable(unsafe)
        }", and no folder ` +
        "on that disk is protected from them. Run `chmod go-w` on it, or set its sticky bit (chmod +t)";
      if (!told.has(unsafe)) emit({ type: "notice", level: "warning", message });
      told.add(unsafe);
      return null;
    },
    /** Puts back what was moved by a process that ended before it could remove it. Never throws. */
    async restore(): Promise<void> {
      try {
        for (const base of basesOf(job.watchPath)) {
          const place = join(base, name);
          if (await system.facts(place) === null || !await isOurs(place) || !await isOnlyOurs(base, system)) continue;
          if (await isThere(job.watchPath)) await putBackAll(place, place);
        }
      } catch (error) {
        emit({ type: "notice", level: "warning", message: `Cannot look for sources that were being removed: ${error}` });
      }
    },
  };
}

/** The watched folder, and those it lies in: a file can be moved only within its file system. */
function basesOf(watchPath: string): string[] {
  return dirname(watchPath) === watchPath ? [watchPath] : [watchPath, ...basesOf(dirname(watchPath))];
}

/** Until a change would show. */
const FRESH_MS = 1_100;
const TRIES = 500;
const AGAIN_MS = 5;
