/**
 * Names in one phrase.
 *
 * @module
 */

/** `freya, nas and usb-stick`; destinations of different jobs may share a name, which is said once. */
export function listed(names: readonly string[]): string {
  const words = [...new Set(names)];
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
