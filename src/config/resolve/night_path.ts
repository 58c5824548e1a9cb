/**
 * `NIGHT` in a path means the observing night. At a destination, the part of the path before it stays the base
 * path, which is made once and remembered, and the rest becomes part of the layout. Of a watched path, the part before it is
 * watched, and the rest selects folders in it.
 */
import { withNight } from "../../domain/names/layout.ts";

/** True where the path names the observing night. */
function hasNight(path: string): boolean {
  return withNight(path, "") !== path;
}

/** `/data/NIGHT/raw` watched is `/data`, and `NIGHT/raw` below it, which is null without a `NIGHT`. */
export function splitWatched(path: string): { folder: string; below: string | null } {
  const cut = cutAtNight(path);
  return cut === null ? { folder: path, below: null } : { folder: cut.base, below: cut.rest.join("/") };
}

/** `/data/NIGHT/raw` with `{path}` is `/data` with `{night}/raw/{path}`. */
export function splitNight(basePath: string, layout: string): { basePath: string; layout: string } {
  const cut = cutAtNight(basePath);
  if (cut === null) return { basePath, layout };
  return { basePath: cut.base, layout: withNight([...cut.rest, layout].join("/"), "{night}") };
}

/** The path before the part that names the night, and the parts from there on. */
function cutAtNight(path: string): { base: string; rest: string[] } | null {
  const parts = path.split(/[/\\]/);
  const first = parts.findIndex(hasNight);
  if (first < 0) return null;
  const base = path.slice(0, parts.slice(0, first).join("/").length);
  const whole = /^[A-Za-z]:$/.test(base) ? `${base}/` : base;
  return { base: whole || (path.startsWith("/") ? "/" : "."), rest: parts.slice(first) };
}
