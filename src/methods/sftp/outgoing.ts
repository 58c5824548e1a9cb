/**
 * Bytes on their way to a program: gathered in buffers that are used again, so that small requests share a write and large ones are
 * copied once.
 *
 * @module
 */

/** Written at a time. */
const WRITE_BYTES = 256 * 1024;
/** Buffers that are kept while nothing is sent: some more than a window of bytes that are under way. */
const MOST_SPARE = 16;

/** What is to be written, in order. */
export class Outgoing {
  #full: Uint8Array[] = [];
  #filling: Uint8Array | null = null;
  #filled = 0;
  readonly #spare: Uint8Array[] = [];

  /** Copies the bytes. */
  add(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      this.#filling ??= this.#spare.pop() ?? new Uint8Array(WRITE_BYTES);
      const part = bytes.subarray(from, from + WRITE_BYTES - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === WRITE_BYTES) this.#turn();
    }
  }

  /** What is next, or null; it is valid until it is given back. */
  take(): Uint8Array | null {
    if (this.#full.length === 0 && this.#filled > 0) this.#turn();
    return this.#full.shift() ?? null;
  }

  giveBack(taken: Uint8Array): void {
    if (this.#spare.length < MOST_SPARE) this.#spare.push(new Uint8Array(taken.buffer as ArrayBuffer));
  }

  clear(): void {
    this.#full = [];
    this.#filled = 0;
  }

  #turn(): void {
    this.#full.push(this.#filling!.subarray(0, this.#filled));
    this.#filling = null;
    this.#filled = 0;
  }
}
