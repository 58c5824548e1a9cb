/**
 * The Worker that makes previews, so that the work of a big image holds up no delivery. One at a time.
 *
 * It is bundled and embedded separately: import nothing heavy here.
 */
import type { ToRead } from "../../domain/source_file.ts";
import { fitsPreview, greyPng } from "../../formats/preview/preview.ts";
import { files } from "../../system/files/files.ts";
import { serveCalls } from "../../system/workers/serve_calls.ts";

/** Which file, and how big the picture may be. */
export interface PreviewRequest {
  /** `size` is the file's in bytes, `mostSide` the picture's in pixels. */
  readonly from: ToRead;
  readonly size: number;
  readonly mostSide: number;
}

/** A PNG, or why there is none. */
export type PreviewAnswer = { readonly png: Uint8Array<ArrayBuffer> } | { readonly problem: string };

const calls = {
  async preview({ from, size, mostSide }: PreviewRequest): Promise<PreviewAnswer> {
    const preview = await fitsPreview((offset, length) => files.read(from, offset, length), size, mostSide);
    return preview === null ? { problem: "the file contains no image that can be shown" } : { png: greyPng(preview) };
  },
};

/** What this Worker can be asked. */
export type PreviewCalls = typeof calls;

serveCalls(calls);
