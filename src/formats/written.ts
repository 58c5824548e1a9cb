/**
 * How much of a file's declared length is there, in words.
 *
 * @module
 */
import { format } from "@std/fmt/bytes";

/** `400 of 694 kB written`; the exact numbers where the rounded ones would look the same. `least` where more may be declared. */
export function written(size: number, declared: number, least = ""): string {
  const [part, whole] = [format(size), format(declared)];
  if (part === whole) return `${size} of ${least}${declared} bytes written`;
  const unit = whole.slice(whole.indexOf(" "));
  return `${part.endsWith(unit) ? part.slice(0, -unit.length) : part} of ${least}${whole} written`;
}
