/**
 * Frame numbers that are missing in a night: what a camera counted and nobody saw.
 *
 * @module
 */

/** A run of numbered names with holes. */
export interface FrameGaps {
  readonly job: string;
  /** Folder and name with `#` for the number and `*` for what differs, e.g. `20260115/M31_*_####.fits`. */
  readonly series: string;
  /** The lowest number that is there; `last` the highest. */
  readonly first: number;
  readonly last: number;
  /** `13`, `20-25`: the numbers without a file, in order. */
  readonly missing: readonly string[];
  readonly missingCount: number;
}

interface Numbered {
  readonly name: string;
  /** The name with what changes from frame to frame taken out. */
  readonly kin: string;
  readonly number: number;
  readonly digits: number;
}

/** Fewer frames are no series. */
const FEWEST = 3;
/** Numbers with more holes than this for each frame are no counter: times of day, temperatures. */
const MOST_HOLES_PER_FRAME = 2;
const MOST_RANGES = 50;

/** Looks at the paths of a night, `/` between their parts. */
export function frameGaps(files: readonly { readonly job: string; readonly path: string }[]): FrameGaps[] {
  const folders = new Map<string, { readonly job: string; readonly folder: string; readonly names: Set<string> }>();
  for (const { job, path } of files) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const key = `${job}\0${folder}`;
    const known = folders.get(key) ?? { job, folder, names: new Set<string>() };
    folders.set(key, known);
    known.names.add(path.slice(folder.length));
  }
  return [...folders.values()].flatMap(({ job, folder, names }) =>
    seriesOf([...names].map(numbered).filter((name) => name !== null)).flatMap((series) => gapsOf(job, folder, series) ?? [])
  );
}

/** The counter is the last number of the name that is no part of a date, a time or a measured value. */
function numbered(name: string): Numbered | null {
  const dot = name.indexOf(".fit") >= 0 ? name.indexOf(".fit") : name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  const plain = stem.replace(CHANGING, (found) => "*".repeat(found.length));
  const match = /(\d{2,6})(?!.*\d)/.exec(plain);
  if (match === null) return null;
  const kin = (plain.slice(0, match.index) + "#" + plain.slice(match.index + match[0].length)).replace(/\*+/g, "*") + ending;
  return { name, kin, number: Number(match[0]), digits: match[0].length };
}

/** Dates, times of day, ISO times, values with a decimal point: they differ from frame to frame by themselves. */
const CHANGING =
  /\d{4}-\d\d-\d\d|\d\d[-_:]\d\d[-_:]\d\d(?!\d)|[-+]?\d+\.\d+|(?<!\d)(?:\d{8}T?\d{6}|\d{8})(?!\d)|\d{7,}|(?<=[_T-])\d{6}(?=[_-])/g;

/** One counter for the whole folder, as many cameras have it through all filters, where no number stands twice; else one for each kind. */
function seriesOf(all: readonly Numbered[]): Numbered[][] {
  if (new Set(all.map(({ number }) => number)).size === all.length && isCounter(all)) return [[...all]];
  return [...Map.groupBy(all, ({ kin }) => kin).values()].filter(isCounter);
}

function isCounter(series: readonly Numbered[]): boolean {
  if (series.length < FEWEST) return false;
  const numbers = series.map(({ number }) => number);
  const holes = Math.max(...numbers) - Math.min(...numbers) + 1 - new Set(numbers).size;
  return holes <= MOST_HOLES_PER_FRAME * series.length;
}

function gapsOf(job: string, folder: string, series: readonly Numbered[]): FrameGaps | null {
  const present = new Set(series.map(({ number }) => number));
  const [first, last] = [Math.min(...present), Math.max(...present)];
  const ranges: [number, number][] = [];
  let missingCount = 0;
  for (let number = first; number <= last; number++) {
    if (present.has(number)) continue;
    missingCount++;
    const range = ranges.at(-1);
    if (range?.[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  if (missingCount === 0) return null;
  const digits = Math.min(...series.map(({ digits }) => digits));
  const shown = (number: number) => String(number).padStart(digits, "0");
  return {
    job,
    series: folder + commonOf(series.map(({ kin }) => kin)).replace("#", "#".repeat(digits)),
    first,
    last,
    missing: ranges.slice(0, MOST_RANGES).map(([from, to]) => from === to ? shown(from) : `${shown(from)}-${shown(to)}`),
    missingCount,
  };
}

/** What all kinds begin and end with, a star between. */
function commonOf(kinds: readonly string[]): string {
  const [first = "", ...others] = [...new Set(kinds)];
  if (others.length === 0) return first;
  const hash = first.indexOf("#");
  let begin = 0;
  while (begin < hash && others.every((other) => other[begin] === first[begin])) begin++;
  let end = 0;
  while (end < first.length - begin && others.every((other) => other.at(-1 - end) === first.at(-1 - end))) end++;
  return `${first.slice(0, begin)}*${first.slice(first.length - end)}`;
}
