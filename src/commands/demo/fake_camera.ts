/**
 * The fake camera of `demo`: writes FITS files the way cameras do, slowly and under their final name, and on
 * request the way bad ones do.
 *
 * @module
 */
import { join } from "@std/path";
import { writeFits } from "../../formats/fits/write_fits.ts";
import type { System } from "../../system/system.ts";
import { fakeSky } from "./fake_sky.ts";

/** One image that the camera has finished: its path relative to the camera's folder. */
export interface Exposure {
  readonly path: string;
  /** What the camera did wrong on the way, if it did. */
  readonly oddity: string | null;
}

/** How the camera works. */
interface CameraOptions {
  /** Absolute; the folder of the night is made in it. */
  readonly folder: string;
  /** From the begin of one exposure to the next, milliseconds. */
  readonly everyMs: number;
  /** Write as bad cameras do: pausing in the middle, or under another name first. */
  readonly faults: boolean;
  /** Observing night, the folder the images go to: `YYYYMMDD`. */
  readonly night: string;
}

type CameraSystem = Pick<System, "now" | "monotonic" | "sleep" | "makeFolder" | "createFile" | "rename">;

/** Exposes until the signal is aborted; yields every image when its writer has closed it. */
export async function* fakeCamera(options: CameraOptions, system: CameraSystem, signal: AbortSignal): AsyncGenerator<Exposure> {
  const sky = fakeSky(1200, 800, 42);
  const folder = join(options.folder, options.night);
  await system.makeFolder(folder);
  for (let frame = 1; !signal.aborted; frame++) {
    const begin = system.monotonic();
    const filter = ["L", "R", "G", "B"][frame % 4]!;
    const name = `M31_${filter}_${String(frame).padStart(4, "0")}.fits`;
    const image = writeFits(sky.width, sky.height, sky.expose(frame), {
      OBJECT: "M31",
      IMAGETYP: "LIGHT",
      FILTER: filter,
      EXPTIME: options.everyMs / 1000,
      "DATE-OBS": new Date(system.now()).toISOString().slice(0, -1),
      INSTRUME: "image-transfer demo",
    });
    const habit = options.faults ? HABITS[frame % HABITS.length]! : steady;
    const oddity = await habit(join(folder, name), image, system, signal);
    yield { path: `${options.night}/${name}`, oddity };
    await system.sleep(Math.max(0, options.everyMs - (system.monotonic() - begin)), signal);
  }
}

/** Writes an image; returns what was odd about it. */
type Habit = (path: string, image: Uint8Array, system: CameraSystem, signal: AbortSignal) => Promise<string | null>;

const steady: Habit = async (path, image, system, signal) => {
  await writeInPieces(path, image, 8, 60, system, signal);
  return null;
};

/** Longer than any reasonable quiet time; only the declared length shows that the file is unfinished. */
const pausing: Habit = async (path, image, system, signal) => {
  await writeInPieces(path, image, 2, 4000, system, signal);
  return "paused for 4 s in the middle of the file";
};

const renaming: Habit = async (path, image, system, signal) => {
  await writeInPieces(`${path}.tmp`, image, 4, 50, system, signal);
  await system.rename(`${path}.tmp`, path);
  return "was written under another name and renamed";
};

const HABITS: readonly Habit[] = [steady, pausing, renaming, steady];

async function writeInPieces(
  path: string,
  image: Uint8Array,
  pieces: number,
  pauseMs: number,
  system: CameraSystem,
  signal: AbortSignal,
): Promise<void> {
  await using file = await system.createFile(path);
  const step = Math.ceil(image.length / pieces);
  for (let at = 0; at < image.length; at += step) {
    await file.write(image.subarray(at, at + step));
    // Once asked to stop, the camera finishes its file without the pauses.
    await system.sleep(pauseMs, signal);
  }
}
