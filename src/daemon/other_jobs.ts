/**
 * Whether other jobs deliver the same files: they watch the same folder, one above, or one below.
 *
 * @module
 */
import type { Job } from "../config/settings.ts";
import { type Patterns, patternsOf } from "../intake/patterns.ts";
import { relativePathOf } from "../intake/source_path.ts";
import type { OutboxLedger, Removable } from "../ledger/outbox_ledger.ts";
import type { System } from "../system/system.ts";

/** Whether both jobs may deliver the same file. */
export function mayShare(a: Job, b: Job, { separator }: Pick<System, "separator">): boolean {
  return a.name !== b.name && (isIn(a.watchPath, b.watchPath, separator) || isIn(b.watchPath, a.watchPath, separator));
}

/** Tells of sources of a job whether one of the others still has to deliver them; `jobs` are those of the configuration now. */
export function wantedByOthers(
  job: Job,
  jobs: () => readonly Job[],
  { ledger, system }: { readonly ledger: Pick<OutboxLedger, "isDelivered">; readonly system: Pick<System, "separator"> },
): (removable: Removable) => boolean {
  const patterns = new WeakMap<Job, Patterns>();
  const wants = (other: Job, path: string) => {
    const known = patterns.get(other) ?? patternsOf(other);
    patterns.set(other, known);
    return known.wants(path);
  };
  return ({ source, receipts }) =>
    jobs().some((other) => {
      if (other.dryRun || other.destinations.length === 0 || !mayShare(job, other, system)) return false;
      const path = relativePathOf(other.watchPath, source.absolutePath, system.separator);
      if (path === null || !wants(other, path)) return false;
      const names = other.destinations.map(({ name }) => name);
      return !ledger.isDelivered({ ...source, job: other.name, path }, receipts[0]?.sha256 ?? null, names);
    });
}

function isIn(folder: string, path: string, separator: System["separator"]): boolean {
  return relativePathOf(folder, path, separator) !== null;
}
