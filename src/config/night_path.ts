/**
 * `NIGHT` in a destination's path stands for the observing night. The part of the path before it stays the base
 * path, which is made once and looked after; the rest becomes part of the layout.
 *
 * @module
 */
import { withNight } from "../domain/layout.ts";

/** True where the path names the observing night. */
export function hasNight(path: string): boolean {
  return withNight(path, "") !== path;
}

/** `/data/NIGHT/raw` with `{path}` is `/data` with `{night}/raw/{path}`. */
export function splitNight(basePath: string, layout: string): { basePath: string; layout: string } {
  const parts = basePath.split(/[/\\]/);
  const first = parts.findIndex(hasNight);
  if (first < 0) return { basePath, layout };
  const base = basePath.slice(0, parts.slice(0, first).join("/").length);
  const whole = /^[A-Za-z]:$/.test(base) ? `${base}/` : base;
  return {
    basePath: whole || (basePath.startsWith("/") ? "/" : "."),
    layout: withNight([...parts.slice(first), layout].join("/"), "{night}"),
  };
}
