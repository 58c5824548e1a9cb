/**
 * Reading the files of a tar stream: small ones in groups, the next while one is sent.
 *
 * @module
 */
import type { SmallFile, System } from "../../system/system.ts";
import type { Upload } from "../method.ts";

/**
 * Null for large files, which are read while they are sent. What was read of a file is valid until the next is asked for. Of a group,
 * `groupBytes` are kept in memory twice.
 */
export async function* readAhead(
  uploads: readonly Upload[],
  groupBytes: number,
  system: Pick<System, "readSmall">,
  signal: AbortSignal,
): AsyncGenerator<readonly [Upload, Promise<SmallFile | null>]> {
  if (uploads.length === 0) return;
  const groups = grouped(uploads, groupBytes);
  const room = Math.max(...groups.map((group) => group.reduce((sum, upload) => sum + roomFor(upload), 0)));
  const buffers = groups.slice(0, 2).map(() => new Uint8Array(new SharedArrayBuffer(room)));
  const read = (index: number) => {
    let used = 0;
    return (groups[index] ?? []).map((upload) => {
      const into = buffers[index % 2]!.subarray(used, used += roomFor(upload));
      const small = into.length === 0 ? Promise.resolve(null) : system.readSmall(upload.source.absolutePath, into, signal);
      small.catch(() => undefined); // Heard when it is its turn.
      return [upload, small] as const;
    });
  };
  let next = read(0);
  for (let index = 1; index <= groups.length; index++) {
    const now = next;
    // Into the buffer of the group before, all of which has been sent.
    next = read(index);
    yield* now;
  }
}

/** Of the buffer: one byte more than the file should have, so that one that grows is noticed; none for a large one. */
function roomFor({ source: { size } }: Upload): number {
  return size < SMALL_BYTES ? size + 1 : 0;
}

/** In order. */
function grouped(uploads: readonly Upload[], groupBytes: number): Upload[][] {
  const groups: Upload[][] = [];
  let bytes = Infinity;
  for (const upload of uploads) {
    bytes += Math.min(upload.source.size, SMALL_BYTES);
    if (bytes > groupBytes) {
      groups.push([]);
      bytes = Math.min(upload.source.size, SMALL_BYTES);
    }
    groups.at(-1)!.push(upload);
  }
  return groups;
}

const SMALL_BYTES = 1024 * 1024;
