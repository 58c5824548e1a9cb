/**
 * Reading the files of a tar stream: small ones in groups, the next while one is sent.
 *
 * @module
 */
import type { SharedBytes, SmallFile, System } from "../../system/system.ts";
import type { Upload } from "../method.ts";
import { TAR_BLOCK, tarPadding } from "./tar_stream.ts";

/** A file and what is read of it. */
interface Ahead {
  readonly upload: Upload;
  /** Null for a large file, which is read while it is sent. */
  readonly small: Promise<SmallFile | null>;
  /** Where its entry begins in the buffer; a small file is read to behind the room of its header. */
  readonly at: number;
}

/** Files that are read at once, laid out as the entries of a tar stream are. */
export interface Group {
  readonly files: readonly Ahead[];
  /** Valid until the next group is asked for. */
  readonly buffer: SharedBytes;
}

/** Of a group, `groupBytes` and its headers are kept in memory twice. */
export async function* readAhead(
  uploads: readonly Upload[],
  groupBytes: number,
  system: Pick<System, "readSmall">,
  signal: AbortSignal,
): AsyncGenerator<Group> {
  if (uploads.length === 0) return;
  const groups = grouped(uploads, groupBytes);
  const room = Math.max(...groups.map((group) => group.reduce((sum, upload) => sum + roomFor(upload), 0)));
  // A file that grew may be one byte longer.
  const buffers = groups.slice(0, 2).map(() => new Uint8Array(new SharedArrayBuffer(room + 1)));
  const read = (index: number): Group => {
    const buffer = buffers[index % 2]!;
    let used = 0;
    const files = (groups[index] ?? []).map((upload): Ahead => {
      const at = used;
      used += roomFor(upload);
      const { source } = upload;
      // One byte more than the file should have, so that one that grows is noticed.
      const into = buffer.subarray(at + TAR_BLOCK, at + TAR_BLOCK + source.size + 1);
      const small = used === at ? Promise.resolve(null) : system.readSmall(source, into, signal);
      small.catch(() => undefined); // Heard when it is its turn.
      return { upload, small, at };
    });
    return { files, buffer };
  };
  let next = read(0);
  for (let index = 1; index <= groups.length; index++) {
    const now = next;
    // Into the buffer of the group before, all of which has been sent.
    next = read(index);
    yield now;
  }
}

/** Of the buffer: a whole entry of the stream; none for a large file. */
function roomFor({ source: { size } }: Upload): number {
  return size < SMALL_BYTES ? TAR_BLOCK + size + tarPadding(size) : 0;
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
