/** A `night_rollover` about twelve hours from now: no night ends while a test runs. A file of this moment is of the same night as with 12:00. */
export function farRollover(nowMs: number): string {
  return `${String((new Date(nowMs).getHours() + 12) % 24).padStart(2, "0")}:00`;
}
