/** Numbers, times and paths as people read them. */

/** A length of time, its two largest parts: `40 s`, `12 min`, `5 h 12 min`, `3 d 4 h`; a negative one (a clock set back) is `0 s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (days < 1) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** `YYYY-MM-DD HH:MM:SS` in the computer's own time zone, from milliseconds since 1970 UTC. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `1 file`, `2 files`; `counted(2, "delivery", "deliveries")` where the plural has no plain s. */
export function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** `freya, nas and usb-stick`; destinations of different jobs may share a name, which is said once. */
export function listed(names: readonly string[]): string {
  const words = [...new Set(names)];
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** `Job guider was`, `Jobs guider and spectro were`. */
export function jobsText(names: readonly string[]): string {
  return names.length === 1 ? `Job ${names[0]} was` : `Jobs ${listed(names)} were`;
}

/**
 * Whether a text holds letters that are written from right to left: in one line with a path they turn around what stands beside them, so
 * whoever shows a path keeps its parts apart (`<bdi>`).
 */
export function isRightToLeft(text: string): boolean {
  return LETTERS.test(text);
}

export function pathParts(path: string): string[] {
  return path.split(/(\/)/).filter((part) => part !== "");
}

/** The blocks of Unicode that are kept for such scripts (UAX #9, DerivedBidiClass). */
const LETTERS = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
