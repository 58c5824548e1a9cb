/** Whether a delivered file is still what was delivered, for audits, `verify` and the report. */
import { pathField, printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sameFingerprint, type SourceFile } from "../../domain/source_file.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { System } from "../../system/system.ts";

/** `unproven`: only its size was recorded (`verify_transfer: size` or `none`), and that agrees. */
interface Proof {
  readonly verdict: "equal" | "missing" | "differs" | "unproven";
  /** Why it is not equal, a sentence without a full stop; null where it is. */
  readonly reason: string | null;
}

/** Compares what the ledger says with what the destination has now. */
export function verifyAgain({ delivery, sha256 }: Pick<DeliveryRow, "delivery" | "sha256">, found: Digest | null): Proof {
  const { size } = delivery.source;
  if (found === null) return { verdict: "missing", reason: "it is no longer there" };
  if (found.bytes !== size) {
    return { verdict: "differs", reason: `its size is ${found.bytes} bytes, but ${size} were delivered` };
  }
  if (sha256 === null) return { verdict: "unproven", reason: "no hash was recorded when it was delivered; its size matches" };
  if (found.sha256 === sha256) return { verdict: "equal", reason: null };
  return { verdict: "differs", reason: `its SHA-256 is ${found.sha256}, but ${sha256} was delivered` };
}

/** Why a delivered file cannot be sent again; null where its source is still the same file. */
export async function whyNotAgain(source: SourceFile, system: Pick<System, "facts">): Promise<string | null> {
  const path = pathField(source.absolutePath);
  try {
    const facts = await system.facts(source.absolutePath);
    if (facts === null) return `its source ${path} no longer exists`;
    if (facts.kind !== "file" || !sameFingerprint(facts, source)) return `its source ${path} has changed since`;
    return null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `its source ${path} cannot be read: ${printable(error.message)}`;
  }
}
