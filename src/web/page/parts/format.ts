/** Numbers for people, with their units. */

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const;

/** `50,000`. */
export function count(value: number): string {
  return whole.format(value);
}

/** What is wrong and what to do, as one text. */
export function withHint({ message, hint }: { readonly message: string; readonly hint: string }): string {
  return hint === "" ? message : `${message}. ${hint}`;
}

/** `delivery` or `deliveries`. */
export function plural(value: number, word: string): string {
  if (value === 1) return word;
  return word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;
}

/** `16.8 MB`: three digits, thousands. */
export function bytes(value: number): string {
  let unit = 0;
  let size = value;
  // 999.6 would be rounded to 1000.
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return `${size.toFixed(digits)}\u00a0${UNITS[unit]}`;
}

/** `112 MB/s`. */
export function rate(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** `34 s`, `4 min`, `2 h 05 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 950) return "under\u00a01\u00a0s";
  if (value < MINUTE) return `${Math.min(59, Math.round(value / SECOND))}\u00a0s`;
  if (value < HOUR) return `${Math.floor(value / MINUTE)}\u00a0min`;
  if (value < DAY) {
    return `${Math.floor(value / HOUR)}\u00a0h\u00a0${String(Math.floor(value % HOUR / MINUTE)).padStart(2, "0")}\u00a0min`;
  }
  return `${Math.floor(value / DAY)}\u00a0d\u00a0${Math.floor(value % DAY / HOUR)}\u00a0h`;
}

/** A time between two moments of a transfer, in seconds: `0.34 s`, `4.2 s`, `3 min`. */
export function latency(seconds: number): string {
  if (seconds < 0.995) return `${Number(seconds.toFixed(2))}\u00a0s`;
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))}\u00a0s`;
  return duration(seconds * SECOND);
}

/** `34 s ago`. */
export function ago(ms: number): string {
  return ms < 2 * SECOND ? "just now" : `${duration(ms)} ago`;
}

/** When something is tried again that failed. */
export function retrying(leftMs: number): string {
  return leftMs < SECOND ? "retrying now" : `retrying in ${duration(leftMs)}`;
}

/** `408 of 412` as a part of one; 1 where there is nothing to do. */
export function ratio(done: number, all: number): number {
  return all <= 0 ? 1 : Math.min(1, Math.max(0, done / all));
}

/** How often a delivery failed: `attempts` counts the try that succeeded as well. */
export function failedTries({ state, attempts }: { readonly state: string; readonly attempts: number }): number {
  return state === "delivered" ? Math.max(0, attempts - 1) : attempts;
}
