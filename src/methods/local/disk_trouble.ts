/**
 * Asks the destination's disk itself when a tool broke off without a reason: SFTP only says "Failure" when a disk is full,
 * and what an rsync there said of it may be lost with the connection that it closed.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { stagingOf } from "../links.ts";
import type { Upload } from "../method.ts";
import { meaningOf } from "./os_failures.ts";
import { shellQuote } from "../shell/shell_quote.ts";
import type { ShellFiles } from "../shell/shell_files.ts";

/** What is wrong with the disk there, or `told`, the failure so far, where nothing is or nothing can be learned. */
export async function diskTrouble(
  told: Failure,
  uploads: readonly Upload[],
  files: ShellFiles,
  signal: AbortSignal,
): Promise<Failure> {
  const probe = shellQuote(`${stagingOf(uploads)}/.probe`);
  const write = `dd if=/dev/zero of=${probe} bs=65536 count=1 2>&1 || { rm -f ${probe}; exit 92; }\nrm -f ${probe}`;
  try {
    await files.inBase("write below the base path", write, signal);
    const stat = await files.survey(uploads.map(({ staged }) => staged), signal);
    const missing = uploads.map(({ source }, index) => source.size - (stat[index]?.bytes ?? 0));
    const freeBytes = await files.freeBytes(signal);
    if (freeBytes === null || freeBytes >= Math.max(0, ...missing)) return told;
    const full = meaningOf("No space left on device");
    return new Failure("disk_full", `${told.message}: ${full?.reason}`, { hint: full?.hint ?? "", cause: told });
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Failure && error.next === "hold" ? error : told;
  }
}
