/** Hashes a source while it is read once: SHA-256, and the kind of hash that the store tells. */
import { createHash } from "node:crypto";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { sourceFault } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import type { StoreHash } from "./rclone_remote.ts";

/** What was read; `hash` is of the kind that the store tells, null where it tells none, or SHA-256 itself. */
export type Hashed = Digest & { readonly hash: string | null };

/** Gives a Failure where it cannot be read. `write` is given what was read, in order. */
export async function hashSource(
  source: SourceFile,
  kind: StoreHash | null,
  system: System,
  signal: AbortSignal,
  write?: (piece: Uint8Array) => Promise<void>,
): Promise<Failure | Hashed> {
  const other = kind === null || kind === "sha256" ? null : createHash(kind);
  try {
    return await system.readSource(source, async (reader) => {
      let bytes = 0;
      for await (const piece of reader.read(reader.bytes)) {
        other?.update(piece);
        await write?.(piece);
        bytes += piece.length;
      }
      return { bytes, sha256: reader.sha256(), hash: other?.digest("hex") ?? null };
    }, signal);
  } catch (error) {
    signal.throwIfAborted();
    const fault = await sourceFault(source, true, system, signal);
    if (fault) return fault;
    const reason = error instanceof Error ? error.message : String(error);
    return new Failure("source_unreadable", `Cannot read "${printable(source.absolutePath)}": ${printable(reason)}`, {
      cause: error,
    });
  }
}
