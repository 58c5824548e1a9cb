/** Small makers for the tests of the ledger. */
import { defer, deliver, type Delivery, fail } from "../../src/domain/delivery.ts";
import { Failure, type FailureCode, failureRecord } from "../../src/domain/failure.ts";
import { verify } from "../../src/domain/receipt.ts";
import type { FileFacts } from "../../src/domain/source_file.ts";
import type { Admission } from "../../src/ledger/intake_ledger.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { ClaimRequest, OutboxLedger } from "../../src/ledger/outbox_ledger.ts";

/** A moment of the spring of 2024, milliseconds. */
export const NOW = Date.UTC(2024, 4, 18, 2);

export function someFacts(path: string, changes: Partial<FileFacts> = {}): FileFacts {
  return { path, size: 1000, mtimeMs: NOW - 5000.5, ctimeMs: NOW - 5000, identity: `2049:${path.length}`, ...changes };
}

export function anAdmission(path: string, changes: Partial<FileFacts> = {}, destinations = ["freya"], job = "spring"): Admission {
  return {
    source: { ...someFacts(path, changes), job, absolutePath: `/data/${path}` },
    night: "20240517",
    targets: destinations.map((destination) => ({ destination, target: path, method: "rsync" })),
  };
}

export function aClaim(changes: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    job: "spring",
    destination: "freya",
    order: "oldest_first",
    maxFiles: 100,
    maxBytes: 1e9,
    attempt: "a1",
    now: NOW,
    ...changes,
  };
}

export const HASH = "0123456789abcdef".repeat(4);

export function proven(delivery: Delivery, sha256: string | null = HASH, at = NOW): Delivery {
  const digest = { bytes: delivery.source.size, sha256 };
  return deliver(delivery, verify(digest, digest, sha256 === null ? "size" : "checksum", at));
}

export function broken(delivery: Delivery, code: FailureCode = "bad_name"): Delivery {
  return fail(delivery, aFailure(code));
}

export function later(delivery: Delivery, retryAt: number, code: FailureCode = "timeout", counts = true): Delivery {
  return defer(delivery, aFailure(code), retryAt, counts);
}

export function aFailure(code: FailureCode) {
  return failureRecord(new Failure(code, `Cannot send "a.fits" to freya: ${code}`, { hint: "Do something." }));
}

/** As if the delivery's file had been read with this hash, so early that nothing is certain; its state stays. */
export function wasRead(ledger: OutboxLedger, delivery: Delivery, sha256: string): void {
  ledger.record([delivery], NOW, new Map([[delivery.id, { at: 0, sha256 }]]));
}

/** The hash that the delivery's version was last seen with; undefined where nobody has read it. */
export function hashOf(ledger: Pick<OutboxLedger, "hashesOf">, delivery: Delivery): string | undefined {
  return ledger.hashesOf([delivery]).get(delivery.id);
}

/** The one delivery of a path to a destination, newest version. */
export function deliveryOf(ledger: Ledger, path: string, destination = "freya"): Delivery {
  const rows = ledger.query({ destination, descending: true }).filter((row) => row.delivery.source.path === path);
  if (rows[0] === undefined) throw new Error(`no delivery of ${path} to ${destination}`);
  return rows[0].delivery;
}

export function states(ledger: Ledger): string[] {
  return ledger.query({}).map(({ delivery: { source, destination, state } }) =>
    `${source.path} → ${destination} ${state.state}${state.state === "failed" ? ` ${state.failure.code}` : ""}`
  );
}
