/** Frame numbers that are missing in a night: what a camera counted and nobody saw. */

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

/** Numbers without a file, one after the other. */
interface Gap {
  /** `13` or `20-25`, with the digits of the camera. */
  readonly shown: string;
  readonly count: number;
  /** What was seen right before, as it was called: `label` of `saw`. */
  readonly after: string;
}

interface Folder {
  readonly job: string;
  readonly folder: string;
  /** Null for names without a counter. */
  readonly names: Map<string, Numbered | null>;
}

interface Numbered {
  /** The name with what changes from frame to frame taken out. */
  readonly kin: string;
  readonly number: number;
  readonly digits: number;
  readonly label: string;
}

/** Fewer frames are no series. */
const FEWEST = 3;
/** Numbers with more holes than this for each frame are no counter: times of day, temperatures. */
const MOST_HOLES_PER_FRAME = 2;
const MOST_RANGES = 50;

export type FrameNumbers = ReturnType<typeof frameGaps>;

/** Gathers the names of a night, one after the other: there may be hundreds of thousands. Each folder of each job has its own series. */
export function frameGaps() {
  const folders = new Map<string, Folder>();
  const kinds = new Map<string, string>();
  const allSeries = () =>
    [...folders.values()].flatMap(({ job, folder, names }) =>
      seriesOf([...names.values()].filter((name) => name !== null)).map((series) => ({ job, folder, series }))
    );
  return {
    /** A file of the night, `/` between the parts of its path; the same one may come again, as it does for every destination. */
    saw(job: string, path: string, label = ""): void {
      const end = path.lastIndexOf("/") + 1;
      const [folder, name] = [path.slice(0, end), path.slice(end)];
      const key = `${job}\0${folder}`;
      const known = folders.get(key) ?? { job, folder, names: new Map() };
      folders.set(key, known);
      if (!known.names.has(name)) known.names.set(name, numbered(name, label, kinds));
    },
    /** The gaps between all that were seen. */
    gaps: () => allSeries().flatMap(({ job, folder, series }) => gapsOf(job, folder, series)),
    /** The same, each with what came before it. */
    eachGap: () => allSeries().flatMap(({ series }) => rangesOf(series)),
  };
}

/**
 * The counter is the last number of the name that is no part of a date, a time or a measured value. `kinds` holds each kind once,
 * so that many names share one.
 */
function numbered(name: string, label: string, kinds: Map<string, string>): Numbered | null {
  const dot = name.indexOf(".fit") >= 0 ? name.indexOf(".fit") : name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  const plain = stem.replace(CHANGING, (found) => "*".repeat(found.length));
  const match = /(\d{2,6})(?!.*\d)/.exec(plain);
  if (match === null) return null;
  const kin = (plain.slice(0, match.index) + "#" + plain.slice(match.index + match[0].length)).replace(/\*+/g, "*") + ending;
  if (!kinds.has(kin)) kinds.set(kin, kin);
  return { kin: kinds.get(kin) ?? kin, number: Number(match[0]), digits: match[0].length, label };
}

/** Dates, times of day, ISO times, values with a decimal point: they differ from frame to frame anyway. */
const CHANGING =
  /\d{4}-\d\d-\d\d|\d\d[-_:]\d\d[-_:]\d\d(?!\d)|[-+]?\d+\.\d+|(?<!\d)(?:\d{8}T?\d{6}|\d{8})(?!\d)|\d{7,}|(?<=[_T-])\d{6}(?=[_-])/g;

/** Numbers that belong together. */
interface Series {
  readonly names: readonly Numbered[];
  /** Each once. */
  readonly numbers: ReadonlySet<number>;
  readonly first: number;
  readonly last: number;
  /** The fewest that a number is written with. */
  readonly digits: number;
}

/** One counter for the whole folder, as many cameras have it through all filters, where no number occurs twice; else one for each kind. */
function seriesOf(all: readonly Numbered[]): Series[] {
  const whole = aSeries(all);
  if (whole.numbers.size === all.length && isCounter(whole)) return [whole];
  return [...Map.groupBy(all, ({ kin }) => kin).values()].map(aSeries).filter(isCounter);
}

/** By a loop: a call cannot take a hundred thousand arguments. */
function aSeries(names: readonly Numbered[]): Series {
  const numbers = new Set<number>();
  let [first, last, digits] = [Infinity, -Infinity, Infinity];
  for (const one of names) {
    numbers.add(one.number);
    first = Math.min(first, one.number);
    last = Math.max(last, one.number);
    digits = Math.min(digits, one.digits);
  }
  return { names, numbers, first, last, digits };
}

function isCounter({ names, numbers, first, last }: Series): boolean {
  return names.length >= FEWEST && last - first + 1 - numbers.size <= MOST_HOLES_PER_FRAME * names.length;
}

function gapsOf(job: string, folder: string, series: Series): FrameGaps[] {
  const { names, first, last, digits } = series;
  const ranges = rangesOf(series);
  if (ranges.length === 0) return [];
  return [{
    job,
    series: folder + commonOf(new Set(names.map(({ kin }) => kin))).replace("#", "#".repeat(digits)),
    first,
    last,
    missing: ranges.slice(0, MOST_RANGES).map(({ shown }) => shown),
    missingCount: ranges.reduce((sum, { count }) => sum + count, 0),
  }];
}

function rangesOf({ names, digits }: Series): Gap[] {
  const shown = (number: number) => String(number).padStart(digits, "0");
  const inOrder = names.toSorted((a, b) => a.number - b.number);
  return inOrder.slice(1).flatMap(({ number }, at) => {
    const before = inOrder[at]!;
    const [from, to] = [before.number + 1, number - 1];
    if (from > to) return [];
    return [{ shown: from === to ? shown(from) : `${shown(from)}-${shown(to)}`, count: to - from + 1, after: before.label }];
  });
}

/** What all kinds begin and end with, a star between. */
function commonOf(kinds: ReadonlySet<string>): string {
  const [first = "", ...others] = kinds;
  if (others.length === 0) return first;
  const hash = first.indexOf("#");
  let begin = 0;
  while (begin < hash && others.every((other) => other[begin] === first[begin])) begin++;
  let end = 0;
  while (end < first.length - begin && others.every((other) => other.at(-1 - end) === first.at(-1 - end))) end++;
  return `${first.slice(0, begin)}*${first.slice(first.length - end)}`;
}
