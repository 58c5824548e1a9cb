/**
 * What an error says, for people: without the number, the call and the path that Deno adds, which the sentence around it
 * names already.
 *
 * @module
 */

/** `Permission denied` of `Permission denied (os error 13): open '/data/a.fits'`; anything else as it is. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.? \(os error \d+\).*$/s, "");
}
