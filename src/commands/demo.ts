/**
 * `demo`: a fake camera writes FITS files, the real daemon delivers them to a folder, and at the end everything is
 * compared byte by byte, independently of the daemon.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { cyan, dim, green, yellow } from "@std/fmt/colors";
import { join } from "@std/path";
import { object } from "@optique/core/constructs";
import type { InferValue } from "@optique/core/parser";
import ms, { type StringValue } from "ms";
import { deadline } from "../async/deadline.ts";
import { parseSettings } from "../config/read/parse_settings.ts";
import { absolutePath } from "../config/read/find_config.ts";
import { startDaemon } from "../daemon/daemon.ts";
import { Failure } from "../domain/failure.ts";
import { observingNight } from "../domain/night/night.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { System } from "../system/system.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { flag, given, pathValue, text } from "./options.ts";
import { padded } from "../formats/fits/fits.ts";

const options = object({
  for: given("--for", text("TIME"), "End after this time, such as 20s or 2m"),
  every: given("--every", text("TIME"), "Time between exposures (2s)"),
  folder: given(
    "--folder",
    pathValue("DIR"),
    "Use this new folder and keep it (default: a temporary folder, removed at the end)",
  ),
  faults: flag("--faults", "Cause faults on purpose: the camera pauses and renames files, the destination disappears"),
});

/** Exit code 1 where an image was lost or is not proven. */
export const demo = defineCommand({
  name: "demo",
  help: "Run a demonstration: a fake camera, a local destination, no setup",
  description: "A fake camera writes a FITS image every two seconds; each is delivered to a folder, verified, and shown here. " +
    "When it stops (Ctrl+C or --for), every byte is compared. Exit code 0 only if nothing was lost.",
  parser: options,
  run: runDemo,
});

/** Longest time that images may take to arrive after the camera has stopped. */
const LAST_WAIT_MS = 30_000;

/**
 * Works in folders of its own, with a configuration and a state of its own. Times are as written, like `20s`.
 *
 * @throws {Failure} `configuration` for a folder that is there already, or a time that is none.
 */
async function runDemo(input: InferValue<typeof options>, tools: Tools): Promise<number> {
  const { system } = tools;
  const lastsMs = input.for === undefined ? Infinity : duration("--for", input.for);
  const everyMs = input.every === undefined ? 2000 : duration("--every", input.every);
  const folder = input.folder !== undefined
    ? absolutePath(input.folder, tools.cwd, system)
    : join(system.env("TMPDIR") ?? system.env("TEMP") ?? "/tmp", `image-transfer-demo-${system.randomHex(4)}`);
  const places = { camera: join(folder, "camera"), archive: join(folder, "archive"), state: join(folder, "state") };
  if (await system.facts(folder) !== null) {
    throw new Failure("configuration", `Cannot use "${folder}": it already exists`, {
      hint: "Specify a folder that does not exist yet.",
    });
  }
  try {
    // In a folder that everyone may write to, nobody can guess the name and create it first.
    await system.makeFolder(folder, 0o700);
    await system.makeFolder(places.camera);
    await system.makeFolder(places.archive);
  } catch (cause) {
    throw new Failure("configuration", `Cannot use "${folder}": ${reasonOf(cause)}`, {
      hint: "Use --folder DIR to specify a folder that this account can create.",
      cause,
    });
  }

  const exposures: Exposure[] = [];
  const closedAt = new Map<string, number>();
  let proven = 0;
  {
    const config = {
      watch_path: places.camera,
      transfer_method: "local",
      remote_base_path: places.archive,
      state_directory: places.state,
      web: { listen: "127.0.0.1:0" },
    };
    const show = (event: TransferEvent) => {
      const line = lineOf(event, (path) => closedAt.get(path));
      if (line !== null) emit(tools, line);
    };
    await using daemon = await startDaemon(parseSettings(JSON.stringify(config), "demo", "yaml", system), {
      system,
      openLedger: tools.openLedger,
      readSettings: null,
      listeners: [show],
    });
    if (daemon === null) throw new Failure("configuration", `Cannot use "${folder}": another demo is using it`);
    emit(tools, `Camera writes to   ${places.camera}`, `Images go to       ${places.archive}`);
    const url = daemon.startUrl();
    // The token is in it: a file could be read by others.
    const shown = system.isTerminal("stdout") ? url : url?.split("?")[0] ?? null;
    if (shown !== null) emit(tools, `Watch it live at   ${cyan(shown)}`);
    emit(tools, dim(input.for === undefined ? "Ctrl+C ends the demo." : `The demo ends after ${input.for}.`), "");
    using closing = deadline(lastsMs, system, tools.signal);
    const trouble = input.faults ? takeArchiveAway(places.archive, tools, closing.signal) : Promise.resolve();
    const night = observingNight(system.now(), { timezone: null, rollover: "12:00", siteLongitude: null });
    const camera = { folder: places.camera, everyMs, faults: input.faults, night };
    for await (const exposure of fakeCamera(camera, system, closing.signal)) {
      closedAt.set(exposure.path, system.now());
      exposures.push(exposure);
      if (exposure.oddity !== null) emit(tools, dim(`  camera: ${exposure.path} ${exposure.oddity}`));
    }
    await trouble;
    const { ledger } = daemon;
    const until = system.monotonic() + LAST_WAIT_MS;
    while (ledger.counts().delivered < exposures.length && system.monotonic() < until) await system.sleep(100);
    proven =
      ledger.query({ states: ["delivered"] }).filter(({ delivery: { state } }) =>
        state.state === "delivered" && state.receipt.level === "checksum"
      ).length;
  }

  // Source and archive are compared without asking the daemon.
  const never = new AbortController().signal;
  let delivered = 0;
  for (const { path } of exposures) {
    try {
      const sent = await system.hash(join(places.camera, path), never);
      if (sent.sha256 === (await system.hash(join(places.archive, path), never)).sha256) delivered++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const lost = exposures.length - delivered;
  if (input.folder === undefined) await system.removeTree(folder);
  else emit(tools, "", `Everything is kept in ${folder}`);
  tools.stdout(`written ${exposures.length}, delivered ${delivered}, proven ${proven}, lost ${lost}\n`);
  return lost === 0 && proven >= exposures.length ? EXIT.done : EXIT.notDelivered;
}

/** The demo's line for an event; the log of `run` has more. */
function lineOf(event: TransferEvent, closedAt: (path: string) => number | undefined): string | null {
  switch (event.type) {
    case "delivered": {
      const { source, state } = event.delivery;
      const closed = closedAt(source.path);
      const late = closed === undefined
        ? "at once"
        : `${((event.at - closed) / 1000).toFixed(2)} s after the last byte was written`;
      const hash = state.state === "delivered" ? state.receipt.sha256?.slice(0, 12) ?? "" : "";
      return `${green("✓")} ${printable(source.path)}  ${formatBytes(source.size)}  verified ${late}  ${dim(`sha256 ${hash}…`)}`;
    }
    case "destination":
      if (event.now.state === "open") return `${green("•")} the destination is available again`;
      return "failure" in event.now
        ? `${yellow("!")} the destination is unavailable: ${printable(event.now.failure.message)}`
        : null;
    case "failed":
      return event.delivery.state.state === "failed" ? `${yellow("✗")} ${printable(event.delivery.state.failure.message)}` : null;
    default:
      return null;
  }
}

/** After five seconds the destination disappears for four, like a network drive that drops out. */
async function takeArchiveAway(archive: string, tools: Tools, signal: AbortSignal): Promise<void> {
  const { system } = tools;
  await system.sleep(5000, signal);
  emit(tools, dim("  fault: the destination folder disappears for 4 s"));
  await system.rename(archive, `${archive}-away`);
  await system.sleep(4000, signal);
  await system.rename(`${archive}-away`, archive);
  emit(tools, dim("  fault: the destination folder is back"));
}

function duration(option: string, words: string): number {
  const milliseconds = ms(words as StringValue);
  if (typeof milliseconds === "number" && milliseconds > 0) return milliseconds;
  throw new Failure("configuration", `Invalid ${option} "${words}"`, { hint: "Specify a time such as 20s or 2m." });
}

function emit(tools: Tools, ...lines: string[]): void {
  tools.stderr(lines.map((line) => `${line}\n`).join(""));
}

// The fake camera of `demo`: writes FITS files the way cameras do, slowly and under their final name, and on request
// the way bad ones do.

/** One image that the camera has finished: its path relative to the camera's folder. */
interface Exposure {
  readonly path: string;
  /** What the camera did wrong on the way, if it did. */
  readonly oddity: string | null;
}

interface CameraOptions {
  /** Absolute; the folder of the night is made in it. */
  readonly folder: string;
  /** From the begin of one exposure to the next, milliseconds. */
  readonly everyMs: number;
  /** Write as bad cameras do. */
  readonly faults: boolean;
  /** `YYYYMMDD`. */
  readonly night: string;
}

/** How an image is written. */
const STEADY = { pieces: 8, pauseMs: 60, ending: "", oddity: null };
/** Longer than any reasonable quiet time; only the declared length shows that the file is unfinished. */
const PAUSING = { pieces: 2, pauseMs: 4000, ending: "", oddity: "paused for 4 s in the middle of the file" };
const RENAMING = { pieces: 4, pauseMs: 50, ending: ".tmp", oddity: "was written under another name and renamed" };
const HABITS = [STEADY, PAUSING, RENAMING, STEADY];

/** Exposes until the signal is aborted; yields every image when its writer has closed it. */
async function* fakeCamera(
  { folder, everyMs, faults, night }: CameraOptions,
  system: System,
  signal: AbortSignal,
): AsyncGenerator<Exposure> {
  const expose = fakeSky(42);
  await system.makeFolder(join(folder, night));
  for (let frame = 1; !signal.aborted; frame++) {
    const begin = system.monotonic();
    const filter = ["L", "R", "G", "B"][frame % 4]!;
    const path = `${night}/M31_${filter}_${String(frame).padStart(4, "0")}.fits`;
    const image = writeFits(expose(frame), {
      OBJECT: "M31",
      IMAGETYP: "LIGHT",
      FILTER: filter,
      EXPTIME: everyMs / 1000,
      "DATE-OBS": new Date(system.now()).toISOString().slice(0, -1),
      INSTRUME: "image-transfer demo",
    });
    const { pieces, pauseMs, ending, oddity } = faults ? HABITS[frame % HABITS.length]! : STEADY;
    const written = join(folder, `${path}${ending}`);
    {
      await using file = await system.createFile(written);
      const step = Math.ceil(image.length / pieces);
      for (let at = 0; at < image.length; at += step) {
        await file.write(image.subarray(at, at + step));
        // Once asked to stop, the camera finishes its file without the pauses.
        await system.sleep(pauseMs, signal);
      }
    }
    if (ending !== "") await system.rename(written, join(folder, path));
    yield { path, oddity };
    await system.sleep(Math.max(0, everyMs - (system.monotonic() - begin)), signal);
  }
}

const [WIDTH, HEIGHT] = [1200, 800];

/** A star field with noise that drifts a little from frame to frame, the same for the same seed: the pixels of an exposure, in counts. */
function fakeSky(seed: number): (frame: number) => Uint16Array {
  const random = generator(seed);
  const stars = Array.from({ length: Math.round(WIDTH * HEIGHT / 2500) }, () => ({
    x: random() * WIDTH,
    y: random() * HEIGHT,
    // Many faint stars, few bright ones.
    flux: 300 / (random() + 0.004),
    sigma: 1.1 + random() * 0.5,
  }));
  return (frame) => {
    const noise = generator(seed + frame * 7919 + 1);
    const pixels = Uint16Array.from({ length: WIDTH * HEIGHT }, () => 900 + (noise() + noise() + noise()) * 40);
    for (const { flux, sigma, ...star } of stars) {
      const reach = Math.ceil(sigma * 5);
      const [centreX, centreY] = [star.x + frame * 0.7, star.y + frame * 0.3];
      const [column, row] = [Math.round(centreX), Math.round(centreY)];
      for (let y = Math.max(0, row - reach); y <= Math.min(HEIGHT - 1, row + reach); y++) {
        for (let x = Math.max(0, column - reach); x <= Math.min(WIDTH - 1, column + reach); x++) {
          const distance = (x - centreX) ** 2 + (y - centreY) ** 2;
          const light = flux * Math.exp(-distance / (2 * sigma ** 2));
          pixels[y * WIDTH + x] = Math.min(65535, pixels[y * WIDTH + x]! + light);
        }
      }
    }
    return pixels;
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

/**
 * A FITS file of unsigned 16-bit pixels, row by row, the bottom row first (FITS Standard 4.0, §4 and §5.2.5: BITPIX 16 with BZERO 32768): header,
 * data, padding.
 */
function writeFits(pixels: Uint16Array, cards: Readonly<Record<string, string | number>>): Uint8Array {
  const standard = { BITPIX: 16, NAXIS: 2, NAXIS1: WIDTH, NAXIS2: HEIGHT, BZERO: 32768, BSCALE: 1 };
  const card = ([name, value]: readonly [string, string | number]) => {
    const shown = typeof value === "string" ? `'${value.padEnd(8)}'` : String(value).padStart(20);
    return `${name.padEnd(8)}= ${shown}`.padEnd(80);
  };
  const simple = `SIMPLE  = ${"T".padStart(20)}`.padEnd(80);
  const header = [simple, ...Object.entries({ ...standard, ...cards }).map(card), "END".padEnd(80)].join("");
  const headerBytes = padded(header.length);
  const file = new Uint8Array(headerBytes + padded(pixels.byteLength));
  file.fill(0x20, 0, headerBytes);
  file.set(new TextEncoder().encode(header));
  const data = new DataView(file.buffer, headerBytes);
  pixels.forEach((pixel, index) => data.setInt16(2 * index, pixel - 32768, false));
  return file;
}
