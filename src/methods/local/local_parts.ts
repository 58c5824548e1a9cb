/**
 * Parts of files that are still being written, on a disk of this computer.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { printable } from "../../domain/names/printable.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES, type PartFiles } from "../method.ts";
import { checkMount, destinationFailure, type LocalBase, makeStaging, pathOf } from "./local_base.ts";

/** `keep` gives a file the times and the mode of its source. */
export function localParts(base: LocalBase, keep: (source: SourceFile, to: string) => Promise<void>): PartFiles {
  const { system, where } = base;
  const toPart = async <T>(staged: string, act: (path: string) => Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      return await act(pathOf(base, staged));
    } catch (error) {
      signal.throwIfAborted();
      throw await destinationFailure(base, error, `write "${printable(staged)}" to ${where}`);
    }
  };
  const write: PartFiles["append"] = (staged, chunk, content, signal) =>
    toPart(staged, async (path) => {
      await checkMount(base);
      await system.writeInto(path, chunk * CHUNK_BYTES, content, signal);
    }, signal);
  return {
    async begin(staged, from, signal) {
      await makeStaging(base, [staged]);
      return await toPart(staged, async (path) => {
        // Nobody else can write into it: what wrote it was this daemon, or one that has ended.
        const left = from === null ? null : await system.facts(pathOf(base, from));
        if (from === null || left?.kind !== "file") {
          await using _file = await system.createFile(path);
          return 0;
        }
        await system.rename(pathOf(base, from), path);
        return Math.floor(left.size / CHUNK_BYTES);
      }, signal);
    },
    append: write,
    replace: write,
    digests: (staged, chunks, signal) =>
      toPart(staged, async (path) => {
        const found: (string | null)[] = [];
        for (const chunk of chunks) {
          signal.throwIfAborted();
          const content = await system.read(path, chunk * CHUNK_BYTES, CHUNK_BYTES);
          found.push(content.length === 0 ? null : createHash("sha256").update(content).digest("hex"));
        }
        return found;
      }, signal),
    flush: (staged, signal) =>
      toPart(staged, async (path) => {
        try {
          await system.sync(path);
        } catch (error) {
          // The next flush would succeed: Linux tells of an error of the disk only once (fsync(2)).
          await system.removeTree(path).catch(() => undefined);
          throw error;
        }
      }, signal),
    async finish(staged, to, source, signal) {
      await makeStaging(base, [to]);
      await toPart(staged, async (path) => {
        await keep(source, path);
        await system.rename(path, pathOf(base, to));
      }, signal);
    },
  };
}
