/** A moment as this computer's clock shows it. */

/** `YYYY-MM-DD HH:MM:SS` in the computer's own time zone, from milliseconds since 1970 UTC. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
