/** A number and what it counts, for people. */

/** `1 file`, `2 files`; `counted(2, "delivery", "deliveries")` where the plural has no plain s. */
export function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}
