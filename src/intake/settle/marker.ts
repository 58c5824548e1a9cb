/**
 * Done-markers: with `completeness: marker` a file is finished once its marker is beside it. `{name}` in the
 * marker's name is the file's name, `{stem}` the name without its ending; `{name}.done` is satisfied by
 * `<stem>.done` too. A marker older than the file belongs to a former version. Markers are not delivered.
 *
 * @module
 */
import { nameParts } from "../../domain/names/name_parts.ts";

/** Whether a file of this name is a marker by this template. */
export function isMarker(name: string, template: string): boolean {
  const [before = "", ...after] = template.split(/\{name\}|\{stem\}/);
  if (after.length === 0) return name === template;
  const ending = after.at(-1) ?? "";
  return name.length > before.length + ending.length && name.startsWith(before) && name.endsWith(ending);
}

/** The names that a file's marker may have, likeliest first. */
export function markersOf(name: string, template: string): string[] {
  const fill = (pattern: string) => pattern.replaceAll("{name}", () => name).replaceAll("{stem}", () => nameParts(name).stem);
  return [...new Set([fill(template), fill(template.replaceAll("{name}", "{stem}"))])].filter((each) => each !== name);
}

/** Whether a marker with this time speaks for a file with that time; both in milliseconds since 1970. */
export function isCurrent(markerMtimeMs: number, fileMtimeMs: number): boolean {
  return markerMtimeMs >= fileMtimeMs - COARSEST_TIMESTAMP_MS;
}

/** Whether a current marker by this template is beside the file; `look` is given names in the file's folder. */
export async function isMarked(
  file: { readonly name: string; readonly mtimeMs: number },
  template: string,
  look: (name: string) => Promise<{ readonly mtimeMs: number } | null>,
): Promise<boolean> {
  for (const name of markersOf(file.name, template)) {
    const marker = await look(name);
    if (marker !== null && isCurrent(marker.mtimeMs, file.mtimeMs)) return true;
  }
  return false;
}

/** FAT keeps times in steps of two seconds. */
const COARSEST_TIMESTAMP_MS = 2_000;
