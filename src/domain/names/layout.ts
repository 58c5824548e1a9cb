/**
 * Where a file goes under the destination's base path: the layout with the file's own words filled in.
 * What comes out never leaves the base path and never enters our staging folders.
 */
import { Failure } from "../failure.ts";
import { isReservedName, LONGEST_NAME, nameParts, safeName, utf8Length } from "./file_name.ts";
import { nearestKey } from "./nearest_key.ts";

interface LayoutValues {
  /** Path relative to the watched folder, `/` between the parts. */
  readonly path: string;
  readonly night: string;
  readonly job: string;
  /** The file's header cards, as far as they are known. */
  readonly cards?: Readonly<Record<string, string | number | boolean>> | null;
}

/** How our staging folders begin; no target may lie in one. */
const STAGING_PREFIX = ".image-transfer-";

/**
 * The target path of a file: relative to the base path, `/` between the parts, without empty and `.` parts.
 * Placeholders: `{path}`, `{folder}` and `{name}` (its two halves), `{stem}` and `{ext}` (the name's; `{ext}` has its dot),
 * `{night}`, `{job}`, `{header.OBJECT}` (a header card, made safe as a name) and `{header.OBJECT|unknown}` (with what stands for a
 * card that is missing); the word `NIGHT` is the night as well. Only the layout is searched for them, never a file's name.
 *
 * @throws {Failure} `bad_name` for a path that cannot be a target, `header_missing` for a file without a card that it needs,
 * `configuration` for a layout that cannot be one.
 */
export function targetPath(layout: string, values: LayoutValues): string {
  const wrong = faultOf(layout) ?? checkValue("night", values.night) ?? checkValue("job", values.job);
  if (wrong !== null) throw new Failure("configuration", `Cannot use the layout "${layout}": ${wrong}`, { hint: LAYOUT_HINT });
  const bad = pathProblem(values.path);
  if (bad !== null) throw badName(values.path, bad);

  const target = normalised(filled(layout.replaceAll("\\", "/"), values)).join("/");
  // The layout may have moved a folder named "C:" to the front.
  const badThere = target === values.path ? null : pathProblem(target);
  if (badThere !== null) throw badName(values.path, `as "${target}" at the destination ${badThere}`);
  if (target.split("/")[0]!.toLowerCase().startsWith(STAGING_PREFIX)) {
    throw badName(values.path, `names that begin with "${STAGING_PREFIX}" are reserved for unfinished files at the destination`);
  }
  return target;
}

export function checkLayout(layout: string): string | null {
  if (layout.trim() === "") return "it is empty";
  if (layout.includes("\0")) return "it contains a NUL character";
  if (/^[\\/]/.test(layout) || /^[A-Za-z]:/.test(layout)) return "it must be relative to remote_base_path, not absolute";
  const wrong = [...layout.matchAll(/\{([^{}]*)\}/g)].map((match) => checkPlaceholder(match[1]!)).find((fault) => fault !== null);
  if (wrong !== undefined) return wrong;
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

/** As {@linkcode checkLayout}; the same layout is asked about for every file. */
function faultOf(layout: string): string | null {
  if (layout !== checked.layout) checked = { layout, fault: checkLayout(layout) };
  return checked.fault;
}
let checked: { readonly layout: string; readonly fault: string | null } = { layout: "", fault: checkLayout("") };

export function layoutCards(layout: string): string[] {
  return [...layout.matchAll(CARD_PLACEHOLDERS)].map(([, keyword]) => keyword!.toUpperCase());
}

/** A configured path with `{night}` and the word `NIGHT` filled in; words that merely contain it (`MIDNIGHT`) stay. */
export function withNight(template: string, night: string, valueOf: (word: string) => string | null = () => null): string {
  // One pass, so that nothing that was filled in is filled in again.
  return template.replace(/\{([^{}]+)\}|(?<![\p{L}\p{N}])NIGHT(?![\p{L}\p{N}])/gu, (found, word: string | undefined) => {
    if (word === undefined || word === "night") return night;
    return valueOf(word) ?? found;
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

function filled(layout: string, { path, night, job, cards }: LayoutValues): string {
  const parts = normalised(path);
  const name = parts.at(-1)!;
  const words: Readonly<Record<string, string>> = {
    ...{ path: parts.join("/"), folder: parts.slice(0, -1).join("/"), name },
    ...nameParts(name),
    job,
  };
  const missing = new Set<string>();
  const valueOf = (word: string): string | null => {
    if (Object.hasOwn(words, word)) return words[word]!;
    const [, keyword, fallback] = CARD_WORD.exec(word) ?? [];
    if (keyword === undefined) return null;
    const value = safeName(cardText(cards?.[keyword.toUpperCase()])) || fallback;
    if (value === undefined) missing.add(keyword.toUpperCase());
    return value ?? "";
  };
  const made = layout.split("/").map((part) => {
    const text = withNight(part, night, valueOf);
    if (!part.includes("{header.")) return text;
    const long = text.split("/").find((name) => utf8Length(name) > LONGEST_NAME);
    if (long !== undefined) throw badName(path, `the layout makes a name of more than ${LONGEST_NAME} bytes of it`);
    return isReservedName(text) ? `_${text}` : text;
  });
  if (missing.size > 0) throw headerMissing(path, [...missing], Object.keys(cards ?? {}));
  return made.join("/");
}

function cardText(value: string | number | boolean | undefined): string {
  return value === undefined ? "" : typeof value === "boolean" ? (value ? "T" : "F") : String(value);
}

function checkPlaceholder(word: string): string | null {
  if (PLACEHOLDERS.has(word)) return null;
  const [, keyword, fallback = ""] = /^header\.([^|]*)(?:\|(.*))?$/s.exec(word) ?? [];
  if (keyword === undefined) {
    const meant = meantBy(word);
    return meant === null
      ? `{${word}} is unknown; use one of ${[...PLACEHOLDERS, "header.KEYWORD"].map((known) => `{${known}}`).join(" ")}`
      : `{${word}} is unknown; did you mean {${meant}}?`;
  }
  if (!/^[A-Z0-9_-]{1,8}$/i.test(keyword)) {
    return `{${word}} names no header card: a keyword has at most 8 letters, digits, "-" and "_", as in {header.OBJECT}`;
  }
  const safe = safeName(fallback);
  return safe === fallback ? null : `"${fallback}" in {${word}} is not a name that every system accepts` +
    (safe === "" ? "" : `; use {header.${keyword}|${safe}}`);
}

/** The placeholder that was meant; null where nothing is near. */
function meantBy(word: string): string | null {
  const [, prefix, keyword, rest = ""] = /^([a-z]+)[.: _]([A-Z0-9_-]{1,8})(\|.*)?$/is.exec(word) ?? [];
  if (prefix !== undefined && nearestKey(prefix, ["header"]) !== undefined) return `header.${keyword}${rest}`;
  const known = [...PLACEHOLDERS];
  if (/^[A-Z][A-Z0-9_-]*$/.test(word) && !PLACEHOLDERS.has(word.toLowerCase())) return `header.${word}`;
  return nearestKey(word, known) ?? null;
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

function headerMissing(path: string, missing: readonly string[], there: readonly string[]): Failure {
  const near = missing.map((keyword) => nearestKey(keyword, there)).find((keyword) => keyword !== undefined);
  const cards = missing.length === 1 ? `no header card ${missing[0]}` : `none of the header cards ${missing.join(", ")}`;
  const also = near === undefined ? "" : ` It has ${near}.`;
  return new Failure("header_missing", `Cannot send "${path}": it has ${cards}, which the layout needs`, {
    hint: `Give the layout a default, as in {header.${missing[0]}|unknown}: the file is then sent.${also}`,
  });
}

const CARD_WORD = /^header\.([A-Z0-9_-]{1,8})(?:\|(.*))?$/is;
const CARD_PLACEHOLDERS = /\{header\.([A-Z0-9_-]{1,8})(?:\|[^{}]*)?\}/gi;
const PLACEHOLDERS: ReadonlySet<string> = new Set(["path", "folder", "name", "stem", "ext", "night", "job"]);
const LAYOUT_HINT = "Correct layout in the configuration, for example {night}/{path}.";
