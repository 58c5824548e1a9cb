/**
 * The proof that a destination holds the bytes that were sent. Only {@linkcode verify} makes one,
 * so "delivered but unproven" cannot be written.
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

declare const proven: unique symbol;

/** Proof of one delivery. `sha256` is null where only sizes were compared and nothing was hashed. */
export interface Receipt {
  readonly bytes: number;
  readonly sha256: string | null;
  readonly algorithm: "sha256" | null;
  readonly level: ProofLevel;
  /** When the proof was made, milliseconds since 1970 UTC. */
  readonly at: number;
  readonly [proven]?: true;
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
  if (level === "none") return { bytes: sent.bytes, sha256: sent.sha256, algorithm: sent.sha256 ? "sha256" : null, level, at };
  if (found === null) throw new Failure("mismatch", "the file is not there after it was sent", { hint: HINT });
  if (found.bytes !== sent.bytes) {
    throw new Failure("mismatch", `${sent.bytes} bytes were sent, ${found.bytes} are there`, { hint: HINT });
  }
  if (level === "size") return { bytes: sent.bytes, sha256: null, algorithm: null, level, at };
  if (sent.sha256 === null || sent.sha256 !== found.sha256) {
    throw new Failure("mismatch", `SHA-256 differs: sent ${sent.sha256}, found ${found.sha256}`, { hint: HINT });
  }
  return { bytes: sent.bytes, sha256: sent.sha256, algorithm: "sha256", level, at };
}

const HINT = "It is sent again. If it happens often, test memory and disks at both ends.";
