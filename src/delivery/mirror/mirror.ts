/**
 * Mirrors (`delete_destination_files`): what was deleted at the source is removed at the destination, to the trash there; never before
 * it was missing for a while, and never more than `max_delete` without a person.
 */
import { dirname } from "@std/path";
import { bell } from "../../async/bell.ts";
import { failureRecord } from "../../domain/failure.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { Destination, Job } from "../../config/settings.ts";
import { type MirrorState, NEW_MIRROR, type OutboxLedger } from "../../ledger/outbox_ledger.ts";
import { TRASH } from "../../methods/removal.ts";
import { shellQuote } from "../../methods/shell/shell_quote.ts";
import type { System } from "../../system/system.ts";
import type { Outbox } from "../outbox.ts";
import { clockAt, newTrash } from "./replaced.ts";
import { removeThere, type RemovingTools } from "./remove_there.ts";
import { faultOf } from "../../system/fault.ts";
import { counted } from "../../domain/words.ts";

/** A file must be missing for so long: programs that replace a file remove it first. */
const MISSING_MS = 3_000;
/** After a hint, so long until the first look. */
const HINT_MS = 500;
const AGAIN_MS = 5_000;
const HOUR = 3_600_000;

/** Nothing happens before `run` or `settle`. */
export function mirrors(job: Job, outboxes: readonly Outbox[], tools: RemovingTools) {
  const { system, ledger, emit } = tools;
  const hint = bell(system);
  const warn = (message: string) => emit({ type: "notice", level: "warning", message });
  // What lies in a trash is removed in time, whatever the configuration says now.
  const mine = outboxes.filter(({ destination }) =>
    destination.deleteDestinationFiles || ledger.trash(job.name, destination.name).length > 0
  );
  /** By path, since when it is missing, by the monotonic clock. */
  let missingSince = new Map<string, number>();
  /** Removals of the last hour, and when the clock of the trash was last set, by destination. */
  const lately = new Map<string, { readonly at: number; readonly files: number }[]>();
  const clockedAt = new Map<string, number>();
  /** Something has not been missing for long enough yet. */
  let unripe = false;
  let again = false;

  async function passes(signal: AbortSignal): Promise<void> {
    again = false;
    try {
      const names = mine.flatMap(({ destination: one }) => one.deleteDestinationFiles ? [one.name] : []);
      const found = await findMissing(job, names, ledger, system, signal);
      if (found === null) return missingSince.clear();
      const now = system.monotonic();
      missingSince = new Map(found.missing.map((path) => [path, missingSince.get(path) ?? now]));
      const ripe = found.missing.filter((path) => now - missingSince.get(path)! >= MISSING_MS);
      unripe = ripe.length < found.missing.length;
      for (const outbox of mine) {
        const { name } = outbox.destination;
        await removeAndEmpty(outbox, found, ripe, signal).catch((error) => {
          if (signal.aborted) return;
          again = true;
          warn(`Cannot remove files from ${name} that were deleted here: ${failureRecord(error).message}`);
        });
      }
    } catch (error) {
      if (signal.aborted) return;
      again = true;
      warn(`Cannot compare job ${job.name} with its mirror: ${failureRecord(error).message}`);
    }
  }

  /** Removes what is ripe, unless a person has to be asked first, and empties the trash of what was kept for long enough. */
  async function removeAndEmpty(
    outbox: Outbox,
    found: MissingFiles,
    ripe: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { name, deleteDestinationFiles, keepDeletedMs } = outbox.destination;
    const deliveries = deleteDestinationFiles ? ledger.keptDeliveries(job.name, name, ripe) : [];
    const accepted = ledger.mirrorOf(job.name, name)?.accepted ?? 0;
    const elsewhere = deliveries.length > accepted && await seemsUnmounted(deliveries, system);
    // From here to where it is remembered without a pause: a person may have accepted meanwhile.
    const before = ledger.mirrorOf(job.name, name) ?? NEW_MIRROR;
    const now = system.monotonic();
    const recent = (lately.get(name) ?? []).filter(({ at }) => now - at < HOUR);
    lately.set(name, recent);
    const reason = whyAsk(outbox.destination, before, {
      files: deliveries.length,
      lately: recent.reduce((sum, { files }) => sum + files, 0),
      delivered: ledger.counts(job.name, name).delivered,
      emptied: found.missing.length === found.known,
      root: found.root,
      elsewhere,
    });
    if (reason !== null && reason !== before.held?.reason) {
      warn(`Nothing is removed from ${name}: ${reason}. If that is right, run: ${acceptCommand(job.name, name)}`);
    }
    const clocked = clockedAt.get(name);
    clockedAt.set(name, now);
    const after: MirrorState = {
      ...before,
      held: reason === null ? null : { files: deliveries.length, reason },
      // Another folder is the right one once nothing is missing in it, or a person has accepted what is.
      root: reason === null && !unripe ? found.root : before.root,
      ...clockAt(before, system.now(), clocked === undefined ? null : now - clocked),
    };
    ledger.rememberMirror(job.name, name, after);
    if (reason !== null) return;
    if (deliveries.length > 0) {
      const session = outbox.session();
      // The destination is not there now.
      if (session === null) return void (again = true);
      const folder = newTrash(outbox.destination, ledger, system, after.clockMs);
      const files = await removeThere({ outbox, session, deliveries, folder }, tools, signal);
      lately.set(name, [...recent, { at: system.monotonic(), files }]);
    }
    if (before.accepted > 0 && !unripe) ledger.rememberMirror(job.name, name, { ...after, accepted: 0 });

    const isOld = ({ bornMs }: { readonly bornMs: number }) => after.clockMs - bornMs >= keepDeletedMs;
    const old = ledger.trash(job.name, name).filter(isOld).map(({ folder }) => folder);
    const session = old.length === 0 ? null : outbox.session();
    if (session === null) return;
    await session.emptyTrash(old.map((folder) => `${TRASH}/${folder}`), signal);
    ledger.forgetTrash(job.name, name, old);
    const message = `Emptied the trash of ${name}: what was removed there is older than keep_deleted`;
    emit({ type: "notice", level: "info", message });
  }

  return {
    /** Works until the signal is aborted. Never throws. */
    async run(signal: AbortSignal): Promise<void> {
      if (mine.length === 0) return;
      while (!signal.aborted) {
        await passes(signal);
        const dueMs = [job.rescanIntervalMs, ...(again ? [AGAIN_MS] : []), ...(unripe ? [MISSING_MS] : [])];
        await hint.wait(Math.min(...dueMs), signal);
        await system.sleep(HINT_MS, signal).catch(() => undefined);
      }
    },
    /** A file was deleted at the source, or a destination is there again. */
    wake: (): void => hint.ring(),
    /** For `--once`: removes what is to be removed. Never throws. */
    async settle(signal: AbortSignal): Promise<void> {
      if (mine.length === 0 || signal.aborted) return;
      await passes(signal);
      if (!unripe || signal.aborted) return;
      await system.sleep(MISSING_MS, signal).catch(() => undefined);
      await passes(signal);
    },
    /** A person allows what the mirror asks for; false where it asks for nothing. */
    accept(name: string): boolean {
      const known = ledger.mirrorOf(job.name, name);
      if (known?.held == null) return false;
      ledger.rememberMirror(job.name, name, { ...known, accepted: known.held.files, held: null });
      hint.ring();
      return true;
    },
  };
}

/**
 * A folder that held some of the files is empty, and on another device than they were: its disk may not be mounted. Devices get other
 * numbers at a reboot, so that alone tells nothing.
 */
async function seemsUnmounted(deliveries: readonly Delivery[], system: System): Promise<boolean> {
  const devices = new Map(deliveries.map(({ source }) => [dirname(source.absolutePath), deviceOf(source.identity)]));
  for (const [folder, device] of devices) {
    const facts = await system.followedFacts(folder).catch(() => null);
    if (facts?.kind !== "folder" || device === "" || deviceOf(facts.identity) === device) continue;
    if ((await system.names(folder)).length === 0) return true;
  }
  return false;
}

function deviceOf(identity: string): string {
  return identity.split(":")[0]!;
}

export function acceptCommand(job: string, destination: string): string {
  return `image-transfer resume --accept ${shellQuote(`${job}/${destination}`)}`;
}

interface MissingFiles {
  readonly missing: readonly string[];
  /** So many delivered files are looked for in all. */
  readonly known: number;
  readonly root: string;
}

/** Paths are read so many at a time: the ledger blocks everything else meanwhile. */
const AT_ONCE = 2_000;

/** Looks for every delivered file of the mirrors among `destinations`; null where the watched folder is not there. */
export async function findMissing(
  { name, watchPath }: Pick<Job, "name" | "watchPath">,
  destinations: readonly string[],
  ledger: Pick<OutboxLedger, "keptPaths">,
  system: Pick<System, "names" | "facts" | "followedFacts" | "separator" | "sleep">,
  signal: AbortSignal,
): Promise<MissingFiles | null> {
  const before = await system.followedFacts(watchPath);
  if (before?.kind !== "folder") return null;
  const folders = folderNames(system);
  const root = watchPath.endsWith(system.separator) ? watchPath : watchPath + system.separator;
  const missing: string[] = [];
  let known = 0;
  for (let after = "";;) {
    const page = ledger.keptPaths(name, destinations, after, AT_ONCE);
    const last = page.at(-1);
    if (last === undefined) break;
    for (const { path, absolutePath } of page) {
      signal.throwIfAborted();
      // Of another folder that the job watched before: nothing is known about it.
      if (absolutePath !== root + path.replaceAll("/", system.separator)) continue;
      known += 1;
      const cut = absolutePath.lastIndexOf(system.separator);
      const names = await folders(absolutePath.slice(0, cut));
      // What cannot be looked at is not missing. Some file systems take several spellings for one name.
      if (names === "unreadable" || names.has(absolutePath.slice(cut + 1))) continue;
      if (await system.facts(absolutePath).then((facts) => facts === null, () => false)) missing.push(path);
    }
    after = last.path;
    await system.sleep(0, signal);
  }
  // Its disk may have gone while it was looked at.
  const now = await system.followedFacts(watchPath);
  return now?.kind === "folder" && now.identity === before.identity ? { missing, known, root: now.identity } : null;
}

/** The names in folders; those of the last folders are kept. */
function folderNames(system: Pick<System, "names">) {
  const kept = new Map<string, ReadonlySet<string> | "unreadable">();
  return async (folder: string): Promise<ReadonlySet<string> | "unreadable"> => {
    const known = kept.get(folder);
    if (known !== undefined) return known;
    const names = await system.names(folder).then((all) => new Set(all), (error) => {
      const fault = faultOf(error);
      return fault === "not_found" || fault === "not_a_folder" ? new Set<string>() : "unreadable" as const;
    });
    if (kept.size >= MOST_FOLDERS) kept.delete(kept.keys().next().value!);
    kept.set(folder, names);
    return names;
  };
}

const MOST_FOLDERS = 16;

interface Intended {
  readonly files: number;
  readonly lately: number;
  readonly delivered: number;
  /** Nothing that was delivered is left in the watched folder. */
  readonly emptied: boolean;
  readonly root: string;
  /** The disk of a folder in it may not be mounted. */
  readonly elsewhere: boolean;
}

/** Why a person has to be asked; null where not. A sentence without a full stop. */
export function whyAsk(
  { maxDelete }: Pick<Destination, "maxDelete">,
  { root, accepted }: Pick<MirrorState, "root" | "accepted">,
  intended: Intended,
): string | null {
  const { files, lately, delivered } = intended;
  if (files === 0 || files <= accepted) return null;
  const gone = `${counted(files, "delivered file")} ${files === 1 ? "is" : "are"} no longer in the watched folder`;
  if (root !== "" && root !== intended.root) return `${gone}, and it is another folder than before`;
  if (intended.elsewhere) return `${gone}, and the disk of one of its folders may not be mounted`;
  if (intended.emptied) return `${gone}, and no delivered file is left there`;
  const most = "files" in maxDelete ? maxDelete.files : Math.max(1, Math.floor(delivered * maxDelete.percent / 100));
  if (files + lately <= most) return null;
  const limit = "files" in maxDelete ? String(most) : `${maxDelete.percent}%, here ${most}`;
  return `${gone}${lately === 0 ? "" : `, ${lately} were removed within the last hour`}, and max_delete is ${limit}`;
}
