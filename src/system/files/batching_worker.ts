/**
 * The Worker of `batching.ts`: many short calls about files, one after the other and synchronous, because here a slow disk blocks
 * nothing else.
 *
 * It is bundled and embedded separately: import nothing heavy here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Digest } from "../../domain/receipt.ts";
import { pathFacts } from "./path_facts.ts";
import { pathToRead, type ToRead } from "../../domain/source_file.ts";
import type { PathFacts, SharedBytes, SmallFile } from "../system.ts";
import { type OpenFile, openToReadSync } from "./open_source.ts";
import { carried, type CarriedError, HandedOver, serveCalls } from "../workers/serve_calls.ts";

/** One thing to find out. `hash` is for small files: one of {@linkcode SMALL_BYTES} or more is skipped. */
export type Ask =
  | { readonly do: "facts" | "followedFacts"; readonly path: string }
  | { readonly do: "hash"; readonly from: ToRead }
  | { readonly do: "content"; readonly from: ToRead; readonly into: SharedBytes | null }
  | { readonly do: "read"; readonly from: ToRead; readonly offset: number; readonly length: number };

/** What was found; null if nothing is there, or if the file is not small. */
export type Found = PathFacts | Digest | Uint8Array<ArrayBuffer> | SmallFile | ReadInto | null;

/** What `content` has read into its buffer. */
export interface ReadInto extends Omit<SmallFile, "content"> {
  readonly bytes: number;
}

/** One for each question, in the order of the questions. */
export type Answer = { readonly found: Found } | { readonly failed: CarriedError };

/** Most that is hashed or read here, bytes. */
const SMALL_BYTES = 1024 * 1024;

const buffer = new Uint8Array(SMALL_BYTES);

const calls = {
  look(asks: readonly Ask[]): HandedOver<Answer[]> {
    // One buffer for all that is read: making and handing over each costs more than reading a piece.
    const room = new Uint8Array(asks.reduce((sum, ask) => sum + (ask.do === "read" ? ask.length : 0), 0));
    let used = 0;
    const answers = asks.map((ask) => answer(ask, ask.do === "read" ? room.subarray(used, used += ask.length) : buffer));
    return new HandedOver(answers, [room.buffer, ...answers.flatMap(buffersOf)]);
  },
};

/** What this Worker can be asked. */
export type BatchingCalls = typeof calls;

function answer(ask: Ask, room: Uint8Array<ArrayBuffer>): Answer {
  try {
    return { found: find(ask, room) };
  } catch (error) {
    const nothing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (nothing && (ask.do === "facts" || ask.do === "followedFacts")) return { found: null };
    return { failed: carried(error) };
  }
}

function find(ask: Ask, room: Uint8Array<ArrayBuffer>): Found {
  switch (ask.do) {
    case "facts":
      return pathFacts(Deno.lstatSync(ask.path));
    case "followedFacts":
      return pathFacts(Deno.statSync(ask.path));
    case "read":
      return readSync(ask.from, ask.offset, room);
    case "hash":
      return hashSync(ask.from, room);
    case "content":
      return contentSync(ask.from, ask.into ?? room, ask.into === null);
    default:
      return ask satisfies never;
  }
}

function hashSync(from: ToRead, room: Uint8Array<ArrayBuffer>): Digest | null {
  const bytes = readSync(from, 0, room);
  if (bytes.length === room.length) return null;
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function contentSync(from: ToRead, room: Uint8Array, copied: boolean): SmallFile | ReadInto | null {
  using file = openToReadSync(from);
  const { kind, mode } = file.factsSync();
  if (kind !== "file") throw new Deno.errors.NotSupported(`"${pathToRead(from)}" is not a regular file`);
  const read = fillFrom(file, room);
  if (read.length === room.length) return null;
  const facts = { mode, sha256: createHash("sha256").update(read).digest("hex") };
  return copied ? { ...facts, content: Uint8Array.from(read) } : { ...facts, bytes: read.length };
}

function buffersOf(answer: Answer): ArrayBuffer[] {
  const found = "found" in answer ? answer.found : null;
  return found !== null && "content" in found && found.content.buffer instanceof ArrayBuffer ? [found.content.buffer] : [];
}

/** A view into the room. */
function readSync<B extends ArrayBufferLike>(from: ToRead, offset: number, room: Uint8Array<B>): Uint8Array<B> {
  using file = openToReadSync(from);
  if (offset > 0) file.seek(offset);
  return fillFrom(file, room);
}

function fillFrom<B extends ArrayBufferLike>(file: Pick<OpenFile, "readSync">, into: Uint8Array<B>): Uint8Array<B> {
  let filled = 0;
  while (filled < into.length) {
    const got = file.readSync(into.subarray(filled));
    if (got === null) break;
    filled += got;
  }
  return into.subarray(0, filled);
}

serveCalls(calls);
