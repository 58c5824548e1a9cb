/**
 * What happens in a night, as data: made from a seed, or kept as it is. Faults are bound to a time, or to what can be seen
 * ("the second rename in /nas"), never to steps of the program.
 */
import { type Dice, dice } from "../support/seeded.ts";

export const MINUTE = 60_000;

/** How a writer writes an image. */
export type WriterKind =
  | "at once"
  | "in pieces"
  | "preallocated"
  | "header last"
  | "renamed into place"
  | "rewritten in place"
  | "rewritten by one long write"
  | "name used again"
  | "appended for long"
  | "moved while it is read"
  | "removed soon"
  | "no format";

/** One image. `at` in milliseconds since the night began. */
export interface Shot {
  readonly at: number;
  readonly camera: "a" | "b";
  readonly name: string;
  readonly kind: WriterKind;
  readonly bytes: number;
  /** Between two writes, or how long the long one takes, milliseconds. */
  readonly pauseMs: number;
}

export type DiskName = "cam" | "nas" | "usb" | "far" | "state";

/** When a fault begins: at a time, or at the nth call of this kind below this folder from then on. */
export interface Trigger {
  readonly at: number;
  readonly call?: string;
  readonly below?: string;
  readonly nth?: number;
}

/** What goes wrong, or what a person does. `forMs` is how long. */
export type Fault =
  & Trigger
  & { readonly forMs: number }
  & (
    | { readonly kind: "full" | "read only" | "failing" | "hanging" | "unmounted" | "another disk"; readonly disk: DiskName }
    | { readonly kind: "stop" | "power cut at home" | "power cut far away" | "power cut everywhere" }
    /** A person copies an image there that has not arrived yet, or removes one that has. */
    | { readonly kind: "a copy by hand" | "a copy removed by hand"; readonly destination: string }
    /** With `powerAfterMs`, the power of the computer is cut so long after it runs again: what it found and did not write is lost. */
    | { readonly kind: "kill"; readonly powerAfterMs?: number }
    | { readonly kind: "line cut" | "line frozen" | "line slow" | "answer lost" | "late writer" }
    | { readonly kind: "sleep of the computer" | "a stranger's link" | "a stranger's file" | "an exchanged folder" }
    | { readonly kind: "watcher deaf" | "too many open files" | "ledger full" | "ledger read only" }
    | { readonly kind: "clock set"; readonly byMs: number }
    | { readonly kind: "pause"; readonly destination: string }
    | { readonly kind: "reload" | "retry" | "sync" }
  );
export type FaultKind = Fault["kind"];

/** What the configuration of a night is. */
export interface NightOptions {
  readonly onConflict: "version" | "overwrite";
  readonly verify: boolean;
  readonly deleteSource: boolean;
  readonly mirror: boolean;
  readonly seesEveryWriter: boolean;
  readonly audit: boolean;
  /** The unit in which the camera's disk tells times, milliseconds; 4 if none is given. */
  readonly tickMs?: number;
}

/** A whole night. */
export interface Scenario {
  /** The seed of delays and of the order of answers. */
  readonly order: number;
  readonly minutes: number;
  readonly options: NightOptions;
  readonly shots: readonly Shot[];
  readonly faults: readonly Fault[];
}

/** What becomes of files that were delivered, and of those that were removed at the source. */
const REMOVALS = [
  ...[1, 2, 3, 4, 5].map(() => ({ deleteSource: false, mirror: false })),
  ...[1, 2].map(() => ({ deleteSource: true, mirror: false })),
  ...[1, 2, 3].map(() => ({ deleteSource: false, mirror: true })),
];

const KINDS: readonly (readonly [WriterKind, number])[] = [
  ["at once", 30],
  ["in pieces", 30],
  ["preallocated", 6],
  ["header last", 5],
  ["renamed into place", 10],
  ["rewritten in place", 5],
  ["rewritten by one long write", 4],
  ["name used again", 4],
  ["appended for long", 1],
  ["moved while it is read", 2],
  ["removed soon", 2],
  ["no format", 1],
];

/** A night of eight hours has at least 300 images and 20 faults; a short one has more faults an hour. */
export function aNight(seed: number, minutes = 480): Scenario {
  const chance = dice(seed).of("scenario");
  const span = minutes * MINUTE;
  const count = Math.max(4, Math.round(300 * minutes / 480)) + chance.int(0, 20);
  const options: NightOptions = {
    onConflict: chance.chance(0.8) ? "version" : "overwrite",
    verify: true,
    ...chance.pick(REMOVALS),
    seesEveryWriter: chance.chance(0.8),
    audit: chance.chance(0.3),
    tickMs: chance.pick([4, 4, 4, 1000, 2000]),
  };
  return {
    order: seed,
    minutes,
    options,
    shots: shotsOf(count, span, chance.of("shots")),
    faults: possible(
      Array.from({ length: Math.ceil(20 * Math.sqrt(minutes / 480)) }, () => aFault(span, chance))
        .flatMap((fault) => [fault, ...besides(fault, chance)]),
      options,
    ).toSorted((a, b) => a.at - b.at),
  };
}

function shotsOf(count: number, span: number, chance: Dice): Shot[] {
  const shots: Shot[] = [];
  for (let at = 0; shots.length < count;) {
    const burst = chance.chance(0.01) ? Math.min(count - shots.length, chance.int(10, 60)) : 1;
    for (let nth = 0; nth < burst; nth++) {
      const camera = chance.chance(0.66) ? "a" : "b";
      const number = String(shots.length + 1).padStart(4, "0");
      const folder = chance.pick(["", "", "M31/", "flats/2026/"]);
      const kind = weighted(KINDS, chance);
      shots.push({
        at: at + nth,
        camera,
        name: `${folder}image_${number}${kind === "no format" ? ".ser" : chance.chance(0.1) ? ".fit" : ".fits"}`,
        kind,
        bytes: chance.pick([2880, 5760, 5760, 11_520, 28_800]),
        pauseMs: chance.pick([0, 1, 20, 200, 700, 1500]),
      });
    }
    at = Math.min(span - MINUTE, at + chance.int(0, Math.round(2 * span / count)));
  }
  return shots;
}

function weighted<T>(list: readonly (readonly [T, number])[], chance: Dice): T {
  let left = chance.int(1, list.reduce((sum, [, weight]) => sum + weight, 0));
  return list.find(([, weight]) => (left -= weight) <= 0)![0];
}

/** Now and then a person stops the program or changes its configuration because something is wrong. */
function besides({ at, call, forMs }: Fault, chance: Dice): readonly Fault[] {
  if (call !== undefined || !chance.chance(0.15)) return [];
  return [{ at: at + chance.int(0, forMs), forMs: 100, kind: chance.pick(["stop", "reload"] as const) }];
}

/**
 * Where files are removed at the source, the program looks at every copy before. A copy that a person removes between that look and the
 * removal is lost, so nothing may stand still between them; and an audit would tell of it for ever.
 */
function possible(faults: readonly Fault[], { deleteSource, audit }: NightOptions): readonly Fault[] {
  const isStill = ({ kind }: Fault) => ["hanging", "failing", "line frozen", "line slow", "sleep of the computer"].includes(kind);
  const mayRemove = deleteSource && !audit && !faults.some(isStill);
  return mayRemove ? faults : faults.filter(({ kind }) => kind !== "a copy removed by hand");
}

const CALLS = ["open", "read", "create", "write", "fsync", "rename", "link", "unlink", "mkdir", "stat", "readdir"];

function aFault(span: number, chance: Dice): Fault {
  const at = chance.int(0, span - Math.min(30 * MINUTE, span / 2));
  const below = chance.pick(["/cam", "/nas", "/usb", "/far"]);
  const when: Trigger = chance.chance(0.5) ? { at } : { at, call: chance.pick(CALLS), below, nth: chance.int(1, 20) };
  const forMs = chance.pick([100, 2_000, 20_000, 3 * MINUTE, 20 * MINUTE]);
  const base = { ...when, forMs };
  const disk = chance.pick(["cam", "nas", "usb", "far"] as const);
  switch (chance.pick(FAULTS)) {
    case "disk":
      return {
        ...base,
        kind: chance.pick(["full", "read only", "failing", "hanging", "unmounted", "another disk"] as const),
        disk,
      };
    case "end": {
      const kind = chance.pick(
        ["kill", "kill", "stop", "power cut at home", "power cut far away", "power cut everywhere"] as const,
      );
      // What a session does on the far machine goes on in this process: between two of its calls there is no power cut.
      if (kind === "power cut far away") return { at, forMs, kind };
      const moment = chance.chance(0.5) ? { ...base, ...chance.pick(WHERE_NAMES_ARE_GIVEN), nth: chance.int(1, 20) } : base;
      if (kind !== "kill" || chance.chance(0.5)) return { ...moment, kind };
      return { ...moment, kind, powerAfterMs: chance.pick([1_000, 5_000, 30_000]) };
    }
    case "line":
      return { ...base, kind: chance.pick(["line cut", "line frozen", "line slow", "answer lost", "late writer"] as const) };
    case "self":
      return { ...base, kind: chance.pick(["watcher deaf", "too many open files", "ledger full", "ledger read only"] as const) };
    case "around":
      return chance.chance(0.3)
        ? { ...base, kind: "a stranger's file", ...chance.pick(WHERE_OURS_IS), nth: chance.int(1, 20) }
        : {
          ...base,
          kind: chance.pick(["sleep of the computer", "a stranger's link", "a stranger's file", "an exchanged folder"] as const),
        };
    case "clock":
      return { ...base, kind: "clock set", byMs: chance.pick([-1, 1]) * 60 * MINUTE };
    case "hand":
      return {
        ...base,
        kind: chance.pick(["a copy by hand", "a copy removed by hand"] as const),
        destination: chance.pick(["nas", "usb", "freya"]),
      };
    case "person":
      return chance.chance(0.4) ? { ...base, kind: "pause", destination: chance.pick(["nas", "usb", "freya"]) } : {
        ...base,
        kind: chance.pick(["reload", "retry", "sync"] as const),
      };
  }
}

/** From the verified bytes to the receipt. */
const WHERE_NAMES_ARE_GIVEN = ["/nas", "/usb", "/far"].flatMap((below) =>
  ["link", "rename", "fsync", "unlink"].map((call) => ({ call, below }))
);

/** In the moment in which an image gets its name, or while our temporary folder is there. */
const WHERE_OURS_IS = [{ call: "link", below: "/nas" }, { call: "create", below: "/nas" }] as const;

const FAULTS = [
  "disk",
  "disk",
  "disk",
  "end",
  "end",
  "end",
  "line",
  "line",
  "self",
  "self",
  "clock",
  "around",
  "person",
  "person",
  "hand",
] as const satisfies readonly (
  "disk" | "end" | "line" | "self" | "clock" | "around" | "person" | "hand"
)[];
