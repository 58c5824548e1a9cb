/**
 * The fake camera of `demo`: writes FITS files the way cameras do, slowly and under their final name, and on
 * request the way bad ones do.
 */
import { join } from "@std/path";
import { writeFits } from "../../formats/fits/write_fits.ts";
import type { System } from "../../system/system.ts";

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

/** A star field with noise that drifts a little from frame to frame; the same for the same seed. */
function fakeSky(width: number, height: number, seed: number) {
  const random = generator(seed);
  const stars = Array.from({ length: Math.round(width * height / 2500) }, () => ({
    x: random() * width,
    y: random() * height,
    // Many faint stars, few bright ones.
    flux: 300 / (random() + 0.004),
    sigma: 1.1 + random() * 0.5,
  }));
  return {
    width,
    height,
    /** The pixels of one exposure, in counts. */
    expose(frame: number): Uint16Array {
      const noise = generator(seed + frame * 7919 + 1);
      const pixels = new Uint16Array(width * height);
      for (let i = 0; i < pixels.length; i++) pixels[i] = 900 + (noise() + noise() + noise()) * 40;
      for (const { flux, sigma, ...star } of stars) {
        const reach = Math.ceil(sigma * 5);
        const [centreX, centreY] = [star.x + frame * 0.7, star.y + frame * 0.3];
        const [column, row] = [Math.round(centreX), Math.round(centreY)];
        for (let y = Math.max(0, row - reach); y <= Math.min(height - 1, row + reach); y++) {
          for (let x = Math.max(0, column - reach); x <= Math.min(width - 1, column + reach); x++) {
            const distance = (x - centreX) ** 2 + (y - centreY) ** 2;
            const light = flux * Math.exp(-distance / (2 * sigma ** 2));
            pixels[y * width + x] = Math.min(65535, pixels[y * width + x]! + light);
          }
        }
      }
      return pixels;
    },
  };
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
