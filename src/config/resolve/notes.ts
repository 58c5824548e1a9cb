/** What is valid in a configuration, and probably not what was meant: a sentence for each, without a full stop. Pure. */
import { mayMatchOneName } from "../../domain/names/globs.ts";
import { METHOD_KEYS, METHOD_NAMES, type MethodName } from "../schema/schema_methods.ts";
import { type Destination, isOverSsh, type Job, loginOf, serverOf } from "../settings.ts";
import { isSection } from "../read/source.ts";
import type { Section } from "./resolving.ts";

/** A job with its destinations, and the keys that are written for each or above it. */
interface NotedJob {
  readonly job: Job;
  readonly written: readonly Section[];
}

/** Each note once. `root` is the file as it was written. */
export function notesOf(jobs: readonly NotedJob[], root: Section): string[] {
  const sent = jobs.flatMap(({ job, written }) =>
    job.destinations.map((destination, index) => ({ destination, written: written[index]! }))
  );
  const dry = jobs.filter(({ job }) => job.dryRun);
  return [
    ...new Set([
      ...dry.map(({ job }) => `job ${job.name} is a dry run (dry_run): nothing is sent`),
      ...textNotes("", root),
      ...jobs.flatMap(({ job }) => wholePatterns(job)),
      ...jobs.flatMap(shares),
      ...sent.flatMap(hostInPath),
      ...sent.flatMap((one) => unused(one, sent)),
      ...sameFolders(jobs.map(({ job }) => job)),
    ]),
  ];
}

/** Texts of a key that mean something else than they seem to. The first row that fits counts. */
const TEXTS: readonly (readonly [key: RegExp, text: RegExp, note: (key: string, text: string) => string])[] = [
  [
    /./,
    /^[“”„«»‘’‚]|[“”„«»‘’]$/,
    (key) => `"${key}" begins or ends with a typographic quote, which is part of the value; write " or ' instead`,
  ],
  [
    /^watch_path$/,
    /[*?]/,
    () =>
      '"watch_path" names one folder, and * is part of its name; file_patterns select files, and NIGHT stands for the folder of each night',
  ],
  [/_patterns$/, /^\[[^[\]]*\]$/, (_, text) => {
    const what = `the pattern ${quoted(text)} matches a single character`;
    return `${what}; write an ending as "*.fits", and a list without quotes around its brackets`;
  }],
  [
    /^file_patterns$/,
    /^\.?[a-z0-9]{1,5}$/i,
    (_, text) => `the pattern ${quoted(text)} matches only a file of exactly this name; write "*.${text.replace(".", "")}"`,
  ],
  [
    /_patterns$/,
    /^[^{]*[,;\s]\s*\*/,
    (_, text) => `${quoted(text)} is one pattern; write several as a list, like ["*.fits", "*.fit"]`,
  ],
  [
    /_patterns$/,
    /^\^|\\\.|\$$/,
    (_, text) => `the pattern ${quoted(text)} looks like a regular expression; patterns are globs, like "*.fits"`,
  ],
];

/** Of all texts in a value, items of lists under the key of the list. */
function textNotes(key: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => textNotes(key, item));
  if (isSection(value)) return Object.entries(value).flatMap(([inner, item]) => textNotes(inner, item));
  if (typeof value !== "string") return [];
  const row = TEXTS.find(([keys, texts]) => keys.test(key) && texts.test(value));
  return row === undefined ? [] : [row[2](key, value)];
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Patterns are held against paths from the watched folder on. */
function wholePatterns({ watchPath, filePatterns, excludePatterns }: Job): string[] {
  const folder = `${watchPath.replace(/[\\/]+$/, "")}/`;
  return [...filePatterns, ...excludePatterns].flatMap((pattern) => {
    if (watchPath === "" || !pattern.startsWith(folder)) return [];
    const what = `the pattern ${quoted(pattern)} begins with the watched folder, which is not part of what patterns match`;
    return [`${what}; write ${quoted(pattern.slice(folder.length))}`];
  });
}

interface Sent {
  readonly destination: Destination;
  readonly written: Section;
}

/** `//nas/images` is a share on Windows only; elsewhere one slash of it is left. */
function shares({ job, written }: NotedJob): string[] {
  return written.flatMap((one, index) =>
    Object.entries({ watch_path: job.watchPath, remote_base_path: job.destinations[index]!.basePath }).flatMap(
      ([key, folder]) => {
        if (!String(one[key]).startsWith("//") || !/^\/(?!\/)/.test(folder)) return [];
        const what = `is the folder ${folder} of this computer, not a network share`;
        return [`"${key}" ${what}; mount the share, and write the folder where it is mounted`];
      },
    )
  );
}

/** `freya:/images` beside `remote_host`; one letter is a drive of Windows. */
function hostInPath({ destination: { transport }, written }: Sent): string[] {
  const [, host, path] = /^((?:[\w.-]+@)?[\w.-]{2,}:)([/~].*)$/s.exec(String(written["remote_base_path"])) ?? [];
  if (host === undefined || loginOf(transport) === null) return [];
  const what = `"remote_base_path" begins with a host, which remote_host already names`;
  return [`${what}: a folder "${host}" is made there; write ${path}`];
}

/** Keys that the destination's method does not use, nor any other destination that has the same from further up. */
function unused({ destination, written }: Sent, all: readonly Sent[]): string[] {
  const method = methodOf(written);
  const uses = (one: Section, key: string) => key in METHOD_KEYS[methodOf(one)];
  return [...new Set(METHOD_NAMES.flatMap((name) => Object.keys(METHOD_KEYS[name])))].flatMap((key) => {
    const value = written[key];
    const isSet = value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
    if (!isSet || all.some((other) => uses(other.written, key) && Object.is(other.written[key], value))) return [];
    const users = METHOD_NAMES.filter((name) => key in METHOD_KEYS[name]).join(", ").replace(/, ([^,]*)$/, " and $1");
    const why = method === "local"
      ? ", which delivers to a folder of this computer"
      : `; it is for ${users}${key === "password" && isOverSsh(destination) ? ": ssh logs in with a key" : ""}`;
    return [`"${key}" has no effect for ${destination.name} with transfer_method: ${method}${why}`];
  });
}

/** As it is written: `auto` may use the keys of each method that it chooses. */
function methodOf({ transfer_method: method }: Section): MethodName {
  return METHOD_NAMES.find((name) => name === String(method).toLowerCase()) ?? "auto";
}

/** Destinations of two jobs whose files would take each other's names. */
function sameFolders(jobs: readonly Job[]): string[] {
  const placeOf = ({ transport, basePath, layout }: Destination) => JSON.stringify([serverOf(transport), basePath, layout]);
  return jobs.flatMap((job, index) =>
    jobs.slice(index + 1).flatMap((other) => {
      const places = other.destinations.map(placeOf);
      const both = job.destinations.find((one) => !one.layout.includes("{job}") && places.includes(placeOf(one)));
      const mayCollide = job.filePatterns.some((one) => other.filePatterns.some((two) => mayMatchOneName(one, two)));
      if (both === undefined || both.basePath === "" || !mayCollide) return [];
      const where = `the same folder, ${both.basePath} at ${both.name}, where files of the same name collide`;
      return [`jobs "${job.name}" and "${other.name}" deliver to ${where}; layout: "{job}/{path}" keeps them apart`];
    })
  );
}
