/**
 * Modes of staged files whose own are not kept (`preserve_permissions: false`): scp and rsync give them those of the source all the
 * same, less what the umask there forbids.
 *
 * @module
 */
import type { Upload } from "../method.ts";
import type { ShellFiles } from "./shell_files.ts";
import { shellWords, wordGroups } from "./shell_quote.ts";

/** Gives them the modes of new files there. */
export async function givePlainModes(
  uploads: readonly Pick<Upload, "staged">[],
  files: Pick<ShellFiles, "inBase">,
  signal: AbortSignal,
): Promise<void> {
  // Without "who" it is what the umask there allows.
  await forAll(["chmod", "=rw"], uploads, files, signal);
}

/** Gives them the time of now. */
export async function giveNewTimes(
  uploads: readonly Pick<Upload, "staged">[],
  files: Pick<ShellFiles, "inBase">,
  signal: AbortSignal,
): Promise<void> {
  await forAll(["touch"], uploads, files, signal);
}

async function forAll(
  command: readonly string[],
  uploads: readonly Pick<Upload, "staged">[],
  files: Pick<ShellFiles, "inBase">,
  signal: AbortSignal,
): Promise<void> {
  if (uploads.length === 0) return;
  const lines = wordGroups(uploads.map(({ staged }) => staged)).map((group) => `${shellWords([...command, ...group])} 2>&1\n`);
  await files.inBase("set times and modes at the destination", `${lines.join("")}:`, signal);
}
