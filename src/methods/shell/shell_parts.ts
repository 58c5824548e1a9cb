/**
 * Parts of files that are still being written, at the far end of a shell: copied, hashed and named there with `dd` and the hash program
 * of the session. How bytes get there is up to the method.
 */
import type { SshDestination } from "../../config/settings.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import type { System } from "../../system/system.ts";
import { CHUNK_BYTES, type PartFiles } from "../method.ts";
import { chunks } from "../../domain/chunks.ts";
import type { ShellFiles } from "./shell_files.ts";
import { flushOrRemove } from "./shell_flush.ts";
import { shellWords } from "./shell_quote.ts";
import type { ShellTools } from "./shell_tools.ts";

/** Copied or hashed with one script: it must end long before it is given up. */
const CHUNKS_AT_ONCE = 32;

/** `writing` sends the bytes. */
export function shellParts(
  files: ShellFiles,
  tools: Pick<ShellTools, "hash" | "perl" | "flush">,
  keep: Kept,
  writing: Pick<PartFiles, "append" | "replace">,
): PartFiles {
  const script = (what: string, text: string, signal: AbortSignal) => files.inBase(`${what} at the destination`, text, signal);
  return {
    ...writing,
    async begin(staged, from, signal) {
      await files.prepare([{ staged }], signal);
      await script("make the part of a file", `: > ${staged} 2>&1`, signal);
      if (from === null) return 0;
      const [there] = await files.survey([from], signal);
      const count = there?.kind === "file" ? Math.floor(there.bytes / CHUNK_BYTES) : 0;
      for (let at = 0; at < count; at += CHUNKS_AT_ONCE) {
        const some = Math.min(CHUNKS_AT_ONCE, count - at);
        const copy = `dd if=${from} of=${staged} bs=${CHUNK_BYTES} skip=${at} seek=${at} count=${some} conv=notrunc 2>&1`;
        await script("copy the part of a file", copy, signal);
      }
      return count;
    },
    async digests(staged, wanted, signal) {
      const found = new Map<number, string>();
      for (const some of chunks(wanted, CHUNKS_AT_ONCE)) {
        const hash = `dd if=${staged} bs=${CHUNK_BYTES} skip=$c count=1 2>/dev/null | ${shellWords(tools.hash)}`;
        const text = await script("hash files", `for c in ${some.join(" ")}; do s=$(${hash}); echo "$c \${s%% *}"; done`, signal);
        for (const [, chunk, sum] of text.matchAll(/^(\d+) ([0-9a-f]{64})$/gm)) found.set(Number(chunk), sum!);
      }
      return wanted.map((chunk) => found.get(chunk) === OF_NOTHING ? null : found.get(chunk) ?? null);
    },
    flush: async (staged, signal) => void await script("flush a file", flushOrRemove(tools, staged), signal),
    async finish(staged, to, source, signal) {
      await finishPart(files, keep, staged, source, signal);
      await files.prepare([{ staged: to }], signal);
      await script("move the part of a file", `mv -f ${shellWords([staged, to])} 2>&1`, signal);
    },
  };
}

/** What is kept of a source, and how that is known. */
interface Kept {
  readonly destination: Pick<SshDestination, "preservePermissions" | "preserveTimestamps">;
  readonly system: Pick<System, "followedFacts">;
}

/** Gives it the times and the mode of a file that was sent as a whole. */
export async function finishPart(
  files: Pick<ShellFiles, "inBase">,
  { destination: { preservePermissions, preserveTimestamps }, system }: Kept,
  staged: string,
  { absolutePath, mtimeMs }: SourceFile,
  signal: AbortSignal,
): Promise<void> {
  const mode = preservePermissions ? (await system.followedFacts(absolutePath))?.mode : undefined;
  // `[[CC]YY]MMDDhhmm.SS` in UTC, as POSIX has it.
  const time = new Date(mtimeMs).toISOString().replace(/\D/g, "").replace(/^(\d{12})(\d\d).*/, "$1.$2");
  const lines = [
    ...(mode === undefined ? [] : [`chmod ${(mode & 0o777).toString(8)} ${staged} 2>/dev/null`]),
    ...(preserveTimestamps ? [`TZ=UTC0 touch -t ${time} ${staged} 2>/dev/null`] : []),
  ];
  // As with the other methods, a time that cannot be kept is no reason to send the file again.
  if (lines.length > 0) await files.inBase("set the time of a file at the destination", `${lines.join("\n")}\n:`, signal);
}

/** SHA-256 of no bytes: there is no such chunk, or no file. */
const OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
