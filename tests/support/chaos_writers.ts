/**
 * The writers of a chaos night: each does one of many things that cameras, programs and people do to files, again and
 * again until the night is over. A version counts as finished when the writer has closed or renamed it.
 */
import { gzipSync } from "node:zlib";
import type { Camera } from "./chaos_camera.ts";
import { fitsFile } from "./fits_maker.ts";
import type { Dice } from "./seeded.ts";

/** Bytes of the largest files, and pauses between two things a writer does. */
interface Pace {
  readonly largeBytes: number;
  readonly restMs: number;
}

type Bytes = Uint8Array<ArrayBuffer>;
type Way = (camera: Camera, name: string, content: Bytes, dice: Dice) => Promise<void>;

/** Writes until `over` says so. */
export async function write(camera: Camera, dice: Dice, pace: Pace, over: () => boolean): Promise<void> {
  while (!over()) {
    const act = dice.pick(ACTS);
    await act(camera, dice, pace);
    await pause(dice.int(0, pace.restMs));
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
let made = 0;

const HOSTILE = [
  "-rf",
  "--delete",
  "$(touch executed)",
  "`id`; #",
  "line\nend",
  "'one' \"two\"",
  " blanks ",
  "st*r?[a]",
  "b\\n",
  "Ünï 🔭",
];

function newName(dice: Dice, ending = ".fits"): string {
  const folder = dice.pick(["", "", "20261120/", "20261121/M 31/", `new${++made}/`, `deep${++made}/a/b/`]);
  const stem = dice.chance(0.15) ? dice.pick(HOSTILE) : "image";
  return `${folder}${stem}-${++made}${ending}`;
}

/** What a name is given next: some are like the others in size, few are large. */
function bytesFor(dice: Dice, pace: Pace): number {
  if (dice.chance(0.04)) return pace.largeBytes;
  return dice.chance(0.3) ? dice.int(1_000_000, 6_000_000) : dice.int(3_000, 400_000);
}

/** In pieces with pauses, some longer than the quiet time. */
async function inPieces(file: Deno.FsFile, content: Bytes, dice: Dice): Promise<void> {
  const pieces = dice.int(1, 5);
  for (let piece = 0; piece < pieces; piece++) {
    const part = content.subarray(Math.floor(content.length * piece / pieces), Math.floor(content.length * (piece + 1) / pieces));
    for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done, done + (1 << 20)));
    await pause(dice.chance(0.3) ? dice.int(600, 3500) : dice.int(0, 60));
  }
}

const slowly: Way = async (camera, name, content, dice) => {
  using file = await camera.here((path) => Deno.openSync(path(name), { write: true, create: true, truncate: true }));
  await inPieces(file, content, dice);
};

const atOnce: Way = (camera, name, content) => camera.here((path) => Deno.writeFileSync(path(name), content));

const preallocated: Way = async (camera, name, content, dice) => {
  using file = await camera.here((path) => Deno.openSync(path(name), { write: true, create: true, truncate: true }));
  await file.truncate(content.length);
  await inPieces(file, content, dice);
};

const inPlace: Way = async (camera, name, content, dice) => {
  using file = await camera.here((path) => Deno.openSync(path(name), { write: true, create: true }));
  await file.truncate(content.length);
  await inPieces(file, content, dice);
};

const renamed: Way = async (camera, name, content, dice) => {
  await slowly(camera, `${name}.part`, content, dice);
  await camera.here((path) => Deno.renameSync(path(`${name}.part`), path(name)));
};

/** Closed between the pieces: only the declared length tells that more will come. */
const reopened: Way = async (camera, name, content, dice) => {
  const pieces = dice.int(2, 4);
  for (let piece = 0; piece < pieces; piece++) {
    const part = content.subarray(Math.floor(content.length * piece / pieces), Math.floor(content.length * (piece + 1) / pieces));
    await camera.here((path) => Deno.writeFileSync(path(name), part, piece === 0 ? {} : { append: true }));
    await pause(dice.int(0, 900));
  }
};

/** The whole story of one version: it may be shown from now on, and stands when the writer is done. */
async function version(camera: Camera, name: string, content: Bytes, way: Way, dice: Dice): Promise<void> {
  if (camera.busy.has(name)) return;
  camera.busy.add(name);
  camera.stat.delete(name);
  const hash = await camera.allow(name, content);
  await camera.folderOf(name);
  await way(camera, name, content, dice);
  camera.stat.set(name, hash);
  camera.busy.delete(name);
}

const fits = (dice: Dice, bytes: number) => fitsFile(bytes, dice.int(1, 2 ** 31));
const FITS_WAYS: readonly Way[] = [slowly, atOnce, preallocated, renamed, reopened];

type Act = (camera: Camera, dice: Dice, pace: Pace) => Promise<void>;

/** A new file, written in one of the ways that cameras have. */
export const newFile: Act = (camera, dice, pace) =>
  version(camera, newName(dice), fits(dice, bytesFor(dice, pace)), dice.pick(FITS_WAYS), dice);

const otherFormat: Act = (camera, dice) => {
  const content = fits(dice, dice.int(3_000, 300_000));
  return dice.chance(0.5)
    ? version(camera, newName(dice, ".fits.gz"), new Uint8Array(gzipSync(content)), dice.pick([slowly, renamed, reopened]), dice)
    : version(camera, newName(dice, ".raw"), content.subarray(2880), dice.pick([slowly, atOnce, renamed]), dice);
};

const burst: Act = async (camera, dice) => {
  const folder = `burst${++made}`;
  const count = dice.int(5, 40);
  for (let at = 0; at < count; at++) {
    await version(camera, `${folder}/${at}.fits`, fits(dice, dice.int(3_000, 60_000)), atOnce, dice);
  }
};

function oneOf(camera: Camera, dice: Dice): string | null {
  const names = [...camera.stat.keys()].filter((name) => !camera.busy.has(name) && !/^moving\d/.test(name));
  return names.length === 0 ? null : dice.pick(names);
}

/** The same name again, with other content, while the former may be on its way. */
const again: Act = async (camera, dice, pace) => {
  const name = oneOf(camera, dice);
  if (name === null || !name.endsWith(".fits")) return;
  const ways = camera.job === "moving" ? [renamed] : [slowly, atOnce, renamed, inPlace, inPlace, inPlace, reopened];
  await version(camera, name, fits(dice, bytesFor(dice, pace)), dice.pick(ways), dice);
};

const twice: Act = async (camera, dice, pace) => {
  const name = newName(dice);
  await version(camera, name, fits(dice, bytesFor(dice, pace)), dice.pick([atOnce, renamed]), dice);
  await pause(dice.int(0, 1500));
  await version(camera, name, fits(dice, bytesFor(dice, pace)), dice.pick([renamed]), dice);
};

const removed: Act = async (camera, dice, pace) => {
  const name = dice.chance(0.5) ? newName(dice) : oneOf(camera, dice);
  if (name === null || camera.busy.has(name)) return;
  if (!camera.stat.has(name)) {
    await version(camera, name, fits(dice, bytesFor(dice, pace)), dice.pick(FITS_WAYS), dice);
    await pause(dice.int(0, 1500));
  }
  if (camera.busy.has(name)) return;
  camera.stat.delete(name);
  await camera.here((path) => removeIfThere(path(name)));
};

/** A folder of its own is filled and renamed: its files are new ones under the new name. */
const folderRenamed: Act = async (camera, dice) => {
  const [from, to] = [`moving${++made}`, `moved${made}`];
  const names = Array.from({ length: dice.int(1, 6) }, (_, at) => `${at}.fits`);
  for (const name of names) {
    await version(camera, `${from}/${name}`, fits(dice, dice.int(3_000, 900_000)), dice.pick(FITS_WAYS), dice);
  }
  await pause(dice.int(0, 1200));
  await camera.here((path) => {
    const there = new Set(Array.from(Deno.readDirSync(path(from)), ({ name }) => name));
    // Where delivered sources are removed, some may be gone already.
    for (const name of names.filter((name) => there.has(name))) {
      const hash = camera.stat.get(`${from}/${name}`)!;
      camera.allowHash(`${to}/${name}`, hash);
      camera.stat.delete(`${from}/${name}`);
      camera.stat.set(`${to}/${name}`, hash);
    }
    Deno.renameSync(path(from), path(to));
  });
};

/** Other bytes of the same length, and the time set back: only the ctime tells, within the same second not even that. */
const secretly: Act = async (camera, dice) => {
  const name = newName(dice);
  const bytes = dice.int(3_000, 600_000);
  await version(camera, name, fits(dice, bytes), atOnce, dice);
  await pause(dice.chance(0.5) ? dice.int(2100, 3500) : dice.int(0, 700));
  // Somebody may have removed it meanwhile, or have it in hand.
  if (camera.job === "moving" || camera.busy.has(name) || !camera.stat.has(name)) return;
  const mtime = await camera.here((path) => camera.stat.has(name) ? Deno.statSync(path(name)).mtime : null);
  if (mtime === null) return;
  await version(camera, name, fits(dice, bytes), async (camera, name, content) => {
    await camera.here((path) => {
      using file = Deno.openSync(path(name), { write: true });
      // Somebody may have given the name other content meanwhile.
      file.truncateSync(content.length);
      for (let done = 0; done < content.length;) done += file.writeSync(content.subarray(done));
      Deno.utimeSync(path(name), mtime, mtime);
    });
  }, dice);
};

const ACTS: readonly Act[] = [
  newFile,
  newFile,
  newFile,
  otherFormat,
  otherFormat,
  burst,
  again,
  again,
  again,
  twice,
  removed,
  folderRenamed,
  secretly,
];

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
