/**
 * Keys whose feature is not built yet: asking for one is an error, its off value is fine. A feature that gets built deletes its line.
 *
 * @module
 */

/** Key → the part of its value that asks for the feature, as it is told to the user; null when nothing is asked for. */
export const NOT_YET: Readonly<Record<string, (value: unknown) => string | null>> = {
  growing_files: (value) => value === false ? null : '"growing_files"',
  transfer_method: (value) => ["ftp", "ftps", "rclone"].includes(lower(value)) ? `"transfer_method: ${lower(value)}"` : null,
  schedule: (value) => ["continuous", "none"].includes(lower(value)) || value === false ? null : '"schedule"',
  cooldown_seconds: (value) => value === 0 || value === "0" ? null : '"cooldown_seconds"',
  hooks: (value) => Array.isArray(value) && value.length === 0 || value === false ? null : '"hooks"',
  delete_destination_files: (value) => value === true ? '"delete_destination_files"' : null,
  pocketbase: (value) => value === false ? null : '"pocketbase"',
  bandwidth_limit: (value) => Array.isArray(value) ? 'a timetable in "bandwidth_limit"' : null,
};

function lower(value: unknown): string {
  return typeof value === "string" ? value.toLowerCase() : "";
}
