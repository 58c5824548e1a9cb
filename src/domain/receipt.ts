/**
 * The proof that a destination holds the bytes that were sent. Only {@linkcode verify} makes one, and the ledger reads
 * back what it stored, so "delivered but unproven" cannot be written.
 *
 * @module
 */
import { Failure } from "./failure.ts";

/** How a delivery was proven, strongest first: hashed there, fetched back and hashed here, sizes compared, not at all. */
export type ProofLevel = "checksum" | "read_back" | "size" | "none";

/** Length in bytes and SHA-256 (FIPS 180-4, 64 hex digits) of a file's content. */
export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/** Only in the types: a literal has no such field, so it is no {@linkcode Receipt}. */
declare const proven: unique symbol;

/** Proof of one delivery. `sha256` is null where only sizes were compared and nothing was hashed. */
export interface Receipt {
  readonly bytes: number;
  readonly sha256: string | null;
  readonly algorithm: "sha256" | null;
  readonly level: ProofLevel;
  /** When the proof was made, milliseconds since 1970 UTC. */
  readonly at: number;
  readonly [proven]: true;
}

/**
 * Compares what was sent with what was found at the destination.
 *
 * @throws {Failure} `mismatch` when they differ, or nothing was found.
 */
export function verify(
  sent: { readonly bytes: number; readonly sha256: string | null },
  found: { readonly bytes: number; readonly sha256: string | null } | null,
  level: ProofLevel,
  at: number,
): Receipt {
  if (level === "none") return receipt(sent.bytes, sent.sha256, level, at);
  if (found === null) throw new Failure("mismatch", "the file is missing after it was sent", { hint: HINT });
  if (found.bytes !== sent.bytes) {
    throw new Failure("mismatch", `the copy has ${found.bytes} bytes, ${sent.bytes} were sent`, { hint: HINT });
  }
  if (level === "size") return receipt(sent.bytes, null, level, at);
  if (sent.sha256 === null || sent.sha256 !== found.sha256) {
    throw new Failure(
      "mismatch",
      `the copy is damaged: its checksum does not match (SHA-256 sent ${sent.sha256}, found ${found.sha256})`,
      { hint: HINT },
    );
  }
  return receipt(sent.bytes, sent.sha256, level, at);
}

/** A proof that {@linkcode verify} made once, as the ledger stored it. For the ledger alone. */
export function storedReceipt(bytes: number, sha256: string | null, level: ProofLevel, at: number): Receipt {
  return receipt(bytes, sha256, level, at);
}

function receipt(bytes: number, sha256: string | null, level: ProofLevel, at: number): Receipt {
  const fields: Omit<Receipt, typeof proven> = { bytes, sha256, algorithm: sha256 === null ? null : "sha256", level, at };
  return fields as Receipt;
}

const HINT = "It is sent again. If this happens often, test memory and disks at both ends.";
