/**
 * What mirrors ask of the ledger (`delete_destination_files`): which delivered files should still be at the source, what was removed
 * at a destination, and what lies in its trash.
 */
import type { Delivery } from "../domain/delivery.ts";

/** What is remembered of a mirror. */
export interface MirrorState {
  /** The identity of the watched folder when its files were last compared; empty before. */
  readonly root: string;
  /** So many removals were accepted by a person; 0 once they are done. */
  readonly accepted: number;
  /** Removals wait for a person. */
  readonly held: HeldRemovals | null;
  /** Time that has passed for the trash, as far as it is certain, milliseconds; and what the wall clock showed then. */
  readonly clockMs: number;
  readonly wallMs: number;
}

/** Removals that are not made before a person accepts them. */
export interface HeldRemovals {
  readonly files: number;
  /** A sentence without a full stop. */
  readonly reason: string;
}

/** Every change is one transaction, durable on return. */
export interface MirrorLedger {
  /**
   * Paths after this one, in order, of which one of the destinations has a version, as far as is known, and waits for no newer one;
   * without those that were removed at the source by us.
   */
  keptPaths(
    job: string,
    destinations: readonly string[],
    after: string,
    limit: number,
  ): { readonly path: string; readonly absolutePath: string }[];
  /** The deliveries of the versions of these paths that a destination has, where no newer one is on its way there. */
  keptDeliveries(job: string, destination: string, paths: readonly string[]): Delivery[];
  /** The delivery of the version that this one replaces at its destination, under the same name; null where none was delivered. */
  replacedBy(delivery: Delivery): Delivery | null;
  /** The deliveries that have, or are to have, one of these targets, in any spelling (`nameKey`). Reads every delivery. */
  claimants(job: string, destination: string, targets: readonly string[]): Pick<Delivery, "id" | "source" | "target">[];
  /** Records that delivered files were removed: failed with the code `removed`. A message has no full stop. */
  recordRemovals(
    removals: readonly { readonly id: number; readonly message: string; readonly hint: string }[],
    now: number,
  ): void;
  mirrorOf(job: string, destination: string): MirrorState | null;
  rememberMirror(job: string, destination: string, state: MirrorState): void;
  /** The folders in the trash of a destination, each with the mirror's clock when it was made. */
  trash(job: string, destination: string): { readonly folder: string; readonly bornMs: number }[];
  addTrash(job: string, destination: string, folder: string, bornMs: number): void;
  forgetTrash(job: string, destination: string, folders: readonly string[]): void;
}

/** Of a mirror that never compared anything. */
export const NEW_MIRROR: MirrorState = { root: "", accepted: 0, held: null, clockMs: 0, wallMs: 0 };
