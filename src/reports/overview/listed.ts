/** Names in one phrase. */

/** `freya, nas and usb-stick`; destinations of different jobs may share a name, which is said once. */
export function listed(names: readonly string[]): string {
  const words = [...new Set(names)];
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** `Job guider was`, `Jobs guider and spectro were`. */
export function jobsText(names: readonly string[]): string {
  return names.length === 1 ? `Job ${names[0]} was` : `Jobs ${listed(names)} were`;
}
