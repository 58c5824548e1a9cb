/**
 * Parts of files that are still being written, on a disk of this computer.
 *
 * @module
 */
import { printable } from "../../domain/names/printable.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { faultOf } from "../../system/fault.ts";
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
  return {
    pathHere: (staged) => pathOf(base, staged),
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
    append: (staged, count, content, signal) =>
      toPart(staged, async (path) => {
        await checkMount(base);
        await system.writeInto(path, count * CHUNK_BYTES, content, signal);
      }, signal),
    replace: (staged, chunk, content, signal) =>
      toPart(staged, (path) => system.writeInto(path, chunk * CHUNK_BYTES, content, signal), signal),
    digests: (staged, chunks, signal) =>
      toPart(staged, async (path) => {
        const size = (await system.facts(path).catch(nothing))?.size ?? 0;
        const there = chunks.filter((chunk) => chunk * CHUNK_BYTES < size);
        const found = await system.hashChunks(path, CHUNK_BYTES, there, signal);
        return chunks.map((chunk) => found[there.indexOf(chunk)] ?? null);
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
    async move(from, staged, signal) {
      await makeStaging(base, [staged]);
      await toPart(staged, (path) => system.rename(pathOf(base, from), path), signal);
    },
    finish: (staged, source, signal) => toPart(staged, (path) => keep(source, path), signal),
  };
}

function nothing(error: unknown): null {
  if (faultOf(error) === "not_found") return null;
  throw error;
}
