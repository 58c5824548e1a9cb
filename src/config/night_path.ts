/**
 * `NIGHT` in a destination's path stands for the observing night. The part of the path before it stays the base
 * path, which is made once and looked after; the rest becomes part of the layout.
 *
 * @module
 */

const NIGHT = /(?<![A-Za-z])NIGHT(?![A-Za-z])/;

/** True where the path names the observing night. */
export function hasNight(path: string): boolean {
  return NIGHT.test(path);
}

/** `/data/NIGHT/raw` with `{path}` is `/data` with `{night}/raw/{path}`. `NIGHT` in the layout is `{night}` as well. */
export function splitNight(basePath: string, layout: string): { basePath: string; layout: string } {
  const parts = basePath.split(/[/\\]/);
  const first = parts.findIndex(hasNight);
  const named = (text: string) => text.replace(new RegExp(NIGHT, "g"), "{night}");
  if (first < 0) return { basePath, layout: named(layout) };
  const base = basePath.slice(0, parts.slice(0, first).join("/").length);
  const root = basePath.startsWith("/") ? "/" : "";
  return {
    basePath: /^[A-Za-z]:$/.test(base) ? `${base}/` : base || root,
    layout: named([...parts.slice(first), layout].join("/")),
  };
}
