/**
 * Where a file goes under the destination's base path: the layout with the file's own words filled in.
 * What comes out never leaves the base path and never enters our staging folders.
 *
 * @module
 */
import { Failure } from "../failure.ts";
import { nameParts } from "./name_parts.ts";

/** What the placeholders of a layout stand for. */
interface LayoutValues {
  /** Path relative to the watched folder, `/` between the parts. */
  readonly path: string;
  /** `YYYYMMDD`. */
  readonly night: string;
  readonly job: string;
}

/** How our staging folders begin; no target may lie in one. */
const STAGING_PREFIX = ".image-transfer-";

/**
 * The target path of a file: relative to the base path, `/` between the parts, without empty and `.` parts.
 * Placeholders: `{path}`, `{folder}` and `{name}` (its two halves), `{stem}` and `{ext}` (the name's; `{ext}` has its dot),
 * `{night}`, `{job}`; the word `NIGHT` is the night as well. Only the layout is searched for them, never a file's name.
 *
 * @throws {Failure} `bad_name` for a path that cannot be a target, `configuration` for a layout that cannot be one.
 */
export function targetPath(layout: string, values: LayoutValues): string {
  const wrong = checkLayout(layout) ?? checkValue("night", values.night) ?? checkValue("job", values.job);
  if (wrong !== null) throw new Failure("configuration", `Cannot use the layout "${layout}": ${wrong}`, { hint: LAYOUT_HINT });
  const bad = pathProblem(values.path);
  if (bad !== null) throw badName(values.path, bad);

  const target = normalised(withNight(layout.replaceAll("\\", "/"), values.night, wordsOf(values))).join("/");
  // The layout may have moved a folder named "C:" to the front.
  const badThere = pathProblem(target);
  if (badThere !== null) throw badName(values.path, `as "${target}" at the destination ${badThere}`);
  if (target.split("/")[0]!.toLowerCase().startsWith(STAGING_PREFIX)) {
    throw badName(values.path, `names that begin with "${STAGING_PREFIX}" are reserved for unfinished files at the destination`);
  }
  return target;
}

/** Says what keeps a layout from being one; null when it is fine. */
export function checkLayout(layout: string): string | null {
  if (layout.trim() === "") return "it is empty";
  if (layout.includes("\0")) return "it contains a NUL character";
  if (/^[\\/]/.test(layout) || /^[A-Za-z]:/.test(layout)) return "it must be relative to remote_base_path, not absolute";
  const unknown = [...layout.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1]!).find((word) => !PLACEHOLDERS.has(word));
  if (unknown !== undefined) {
    return `{${unknown}} is unknown; use one of ${[...PLACEHOLDERS].map((word) => `{${word}}`).join(" ")}`;
  }
  if (/[{}]/.test(layout.replace(/\{[^{}]*\}/g, ""))) return "a brace is not closed or not opened";
  if (layout.includes(".{ext}")) return "{ext} brings its own dot: write {stem}{ext}";
  const parts = layout.split(/[\\/]/);
  if (parts.some((part) => part.trim() === "..")) return '".." could lead out of remote_base_path';
  if (!/\{(path|name|stem)\}/.test(parts.at(-1)!)) {
    return "the last part must contain {path}, {name} or {stem}, or files would replace each other";
  }
  if (parts[0]!.toLowerCase().startsWith(STAGING_PREFIX)) return `"${STAGING_PREFIX}…" is reserved for unfinished files`;
  return null;
}

/** A configured path with `{night}` and the word `NIGHT` filled in; words that merely contain it (`MIDNIGHT`) stay. */
export function withNight(template: string, night: string, words: Readonly<Record<string, string>> = {}): string {
  // One pass, so that nothing that was filled in is filled in again.
  return template.replace(/\{([a-z]+)\}|(?<![\p{L}\p{N}])NIGHT(?![\p{L}\p{N}])/gu, (found, word: string | undefined) => {
    if (word === undefined || word === "night") return night;
    return Object.hasOwn(words, word) ? words[word]! : found;
  });
}

/** Says why a relative path from the disk cannot be a target; null when it can. */
export function pathProblem(path: string): string | null {
  if (path.includes("\0")) return "it contains a NUL character";
  if (path.includes("\uFFFD") || !path.isWellFormed()) return "it is not valid UTF-8";
  if (path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)) return "it is not relative";
  // Backslashes too: they separate once the destination is a Windows machine.
  if (path.split(/[\\/]/).some((part) => part === "..")) return 'it contains ".."';
  if (normalised(path).length === 0) return "it is empty";
  return null;
}

function wordsOf({ path, night, job }: LayoutValues): Record<string, string> {
  const parts = normalised(path);
  const name = parts.at(-1)!;
  return { path: parts.join("/"), folder: parts.slice(0, -1).join("/"), name, ...nameParts(name), night, job };
}

function normalised(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function checkValue(word: string, value: string): string | null {
  if (value === "" || value === "." || value === ".." || /[\\/\0]/.test(value)) {
    return `"${value}" is not a valid value for {${word}}`;
  }
  return null;
}

function badName(path: string, reason: string): Failure {
  return new Failure("bad_name", `Cannot send "${path}": ${reason}`, {
    hint: "Rename the file; it is then sent under its new name.",
  });
}

const PLACEHOLDERS: ReadonlySet<string> = new Set(["path", "folder", "name", "stem", "ext", "night", "job"]);
const LAYOUT_HINT = "Correct layout in the configuration, for example {night}/{path}.";
