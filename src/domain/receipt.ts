/**
 * The proof that a destination holds the bytes that were sent. Only {@linkcode verify} makes one, and the ledger reads
 * back what it stored, so "delivered but unproven" cannot be written.
 */
import { Failure } from "./failure.ts";

/** How a delivery was proven, strongest first: hashed there, fetched back and hashed here, sizes compared, not at all. */
export type ProofLevel = "checksum" | "read_back" | "size" | "none";

/** Length in bytes and SHA-256 (FIPS 180-4, 64 hex digits) of a file's content. */
export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
  /**
   * Only at a destination: how it showed that its bytes have this SHA-256, where it did not tell that itself. By its own hash of another
   * kind, equal to ours of the bytes that have this SHA-256; or because the file was fetched back.
   */
  readonly shownBy?: WeakerProof;
}

export type WeakerProof = "md5" | "sha1" | "read_back";

/** Only in the types: a literal has no such field, so it is no {@linkcode Receipt}. */
declare const proven: unique symbol;

/**
 * Proof of one delivery. `sha256` is ours of what was sent, null where only sizes were compared and nothing was hashed; `algorithm` is
 * that of the hashes which were compared.
 */
export interface Receipt {
  readonly bytes: number;
  readonly sha256: string | null;
  readonly algorithm: "sha256" | "md5" | "sha1" | null;
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
  found: { readonly bytes: number; readonly sha256: string | null; readonly shownBy?: WeakerProof } | null,
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
  switch (found.shownBy) {
    case undefined:
      return receipt(sent.bytes, sent.sha256, level, at);
    case "read_back":
      return receipt(sent.bytes, sent.sha256, "read_back", at);
    default:
      return receipt(sent.bytes, sent.sha256, level, at, found.shownBy);
  }
}

/** A proof that {@linkcode verify} made once, as the ledger stored it. For the ledger alone. */
export function storedReceipt(
  ...stored: [bytes: number, sha256: string | null, level: ProofLevel, at: number, algorithm: "md5" | "sha1" | undefined]
): Receipt {
  return receipt(...stored);
}

function receipt(
  bytes: number,
  sha256: string | null,
  level: ProofLevel,
  at: number,
  algorithm: "sha256" | "md5" | "sha1" = "sha256",
): Receipt {
  const fields: Omit<Receipt, typeof proven> = { bytes, sha256, algorithm: sha256 === null ? null : algorithm, level, at };
  return fields as Receipt;
}

const HINT = "It is sent again. If this happens often, test memory and disks at both ends.";
