/**
 * Finds the base path of a destination and makes sure that it is the same place as before: without its disk, the empty mount
 * point must not be filled.
 */
import { CAUSES, failure } from "../domain/causes.ts";
import { Failure } from "../domain/failure.ts";
import { type Destination, loginOf } from "../config/settings.ts";
import { printable } from "../domain/names/printable.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import { FILE_SYSTEM_ID, type Mount, type Session } from "../methods/method.ts";

/** A destination, and what was delivered to it. */
interface Known {
  readonly destination: Destination;
  readonly ledger: Pick<OutboxLedger, "deviceOf" | "query" | "counts">;
}

interface MountOptions extends Known {
  readonly ledger: Known["ledger"] & Pick<OutboxLedger, "rememberDevice">;
  /** A person accepted the disk that is there now; the caller remembers its device afterwards. */
  readonly accept: boolean;
  /** Called at the first contact if the folder looks wrong or had to be made. */
  readonly log?: (level: "info" | "warning", message: string) => void;
  /** Left there, see {@linkcode Session.attach}. */
  readonly probe?: string;
}

/** How many delivered files are looked for to recognise a disk whose device number changed. */
const WITNESSES = 20;

/**
 * The mount under the base path. The folder is made at the first contact, and where a person accepted the place.
 *
 * @throws {Failure} `device_missing`, `folder_changed`, or what the session throws.
 */
export async function findMount(
  session: Pick<Session, "attach" | "survey">,
  options: MountOptions,
  signal: AbortSignal,
): Promise<Mount> {
  const { destination, ledger, accept } = options;
  const known = knownPlace(options);
  const mount = await attach(session, { ...options, known, create: accept }, signal);
  const place = placeOf(mount, destination, known);
  const doubt = known === null ? notMounted(destination, mount) : null;
  if (doubt !== null) options.log?.("warning", `${doubt.message} ${doubt.hint}`);
  if (mount.made) options.log?.("info", madeNow(destination).join(" "));
  if (accept || place === known) return mount;
  await demandPlace(session, { ...options, known, place }, signal);
  ledger.rememberDevice(destination.job, destination.name, place);
  return mount;
}

/**
 * What `Session.attach` finds; only a folder that was never used is created: one that existed and is missing means that its disk is not mounted.
 *
 * @throws {Failure} `folder_changed`, or what the session throws.
 */
export async function attach(
  session: Pick<Session, "attach">,
  options: Known & { readonly known: string | null; readonly create?: boolean; readonly probe?: string },
  signal: AbortSignal,
): Promise<Mount> {
  const { known, create = false, probe } = options;
  try {
    return await session.attach(known === null || create, signal, probe);
  } catch (error) {
    const isGone = error instanceof Failure && error.code === "device_missing";
    throw isGone && known !== null && isElsewhere(known, options.destination) ? otherPlace(known, options) : error;
  }
}

/**
 * Makes sure that a place is the known one. A reboot can change device numbers: then the delivered files show that it is the same disk.
 *
 * @throws {Failure} `device_missing`, `folder_changed`, or what the session throws.
 */
export async function demandPlace(
  session: Pick<Session, "survey">,
  options: Known & { readonly known: string | null; readonly place: string },
  signal: AbortSignal,
): Promise<void> {
  const { known, place } = options;
  if (known === null || !differ(known, place)) return;
  // A folder that was made again before anything was delivered is no other disk.
  if (diskIn(known) === diskIn(place) && deliveredTo(options) === 0) return;
  if (!await hasWitness(session, options, signal)) throw otherPlace(known, options);
}

/** What is remembered of the place; null before the first contact, and where another base path holds nothing that was delivered. */
export function knownPlace({ destination, ledger }: Known): string | null {
  const known = ledger.deviceOf(destination.job, destination.name);
  return known !== null && isElsewhere(known, destination) && deliveredTo({ destination, ledger }) === 0 ? null : known;
}

/**
 * What is remembered of a place, a line each: its device, when its folder was made, and the base path. Empty is what is not told; a time that
 * is not told this time stays as it was `known`.
 */
export function placeOf(
  { device, born }: Mount,
  { basePath }: Pick<Destination, "basePath">,
  known: string | null = null,
): string {
  const [disk, time = ""] = known?.split("\n") ?? [];
  return [device ?? "", born ?? (disk === device ? time : ""), basePath].join("\n");
}

/** The device alone of what is remembered: the same for two folders of one disk. */
export function diskIn(place: string): string {
  return place.split("\n")[0]!;
}

/**
 * For commands that only look: makes sure that this is where the files were delivered, before any are reported as missing.
 *
 * @throws {Failure} `device_missing`, `folder_changed`, or what the session throws.
 */
export async function demandKnownPlace(
  session: Pick<Session, "attach" | "survey">,
  options: Known,
  signal: AbortSignal,
): Promise<void> {
  const known = options.ledger.deviceOf(options.destination.job, options.destination.name);
  const place = placeOf(await session.attach(false, signal), options.destination);
  await demandPlace(session, { ...options, known, place }, signal);
}

/** Whether something that both tell is not the same. Different methods tell different things of one disk. */
function differ(known: string, place: string): boolean {
  const now = place.split("\n");
  return known.split("\n").some((part, index) => {
    const other = now[index] ?? "";
    return part !== "" && other !== "" && part !== other && part.startsWith(FILE_SYSTEM_ID) === other.startsWith(FILE_SYSTEM_ID);
  });
}

/** Whether the configuration had another base path when the place was remembered. */
function isElsewhere(known: string, { basePath }: Pick<Destination, "basePath">): boolean {
  return differ(known, ["", "", basePath].join("\n"));
}

/** A warning about a base path where drives are usually mounted, if none is mounted there. */
export function notMounted(
  { name, basePath }: Pick<Destination, "name" | "basePath">,
  { onSystemDisk }: Mount,
): { readonly message: string; readonly hint: string } | null {
  if (onSystemDisk !== true || !MOUNTS.test(basePath)) return null;
  return {
    message: `The folder of ${name}, ${basePath}, is on the system disk: is its drive mounted?`,
    hint: "If a drive belongs there, mount it and check for files in the folder underneath. Otherwise ignore this.",
  };
}

/** A warning where a destination does not tell which disk it has, and none of the files delivered last are there; null if all is well. */
export async function strangePlace(
  session: Pick<Session, "survey">,
  options: Known,
  signal: AbortSignal,
): Promise<string | null> {
  if (deliveredTo(options) === 0 || await hasWitness(session, options, signal)) return null;
  const { name, basePath } = options.destination;
  return `None of the files delivered last to ${name} are in "${
    printable(basePath)
  }". If another disk is mounted there, mount the right one; ` +
    "if they were moved or removed on purpose, ignore this.";
}

/** What is said about a folder that had to be made at the first contact. */
export function madeNow({ name, basePath }: Pick<Destination, "name" | "basePath">): readonly [message: string, hint: string] {
  return [
    `The folder of ${name}, "${printable(basePath)}", did not exist: created.`,
    "If that is a mistake, correct remote_base_path and remove the folder.",
  ];
}

/** Where Linux and macOS mount drives (Filesystem Hierarchy Standard 3.0, §3.11 and §3.12). */
const MOUNTS = /^\/(mnt|media|run\/media|Volumes)\//;

/**
 * Puts a destination on hold whose disk is nearly full.
 *
 * @throws {Failure} `disk_full` where less than `minimum_free_space_gb` is free.
 */
export function demandSpace({ freeBytes }: Mount, { name, minimumFreeBytes }: Destination): void {
  if (freeBytes === null || freeBytes >= minimumFreeBytes) return;
  const words = { free: gb(freeBytes), minimum: gb(minimumFreeBytes) };
  throw failure(CAUSES.too_little_free, `Cannot send to ${name}`, { words });
}

/** Whether a delivered file is there: then it is the same disk, whatever its device number is now. */
async function hasWitness(
  session: Pick<Session, "survey">,
  { destination, ledger }: Known,
  signal: AbortSignal,
): Promise<boolean> {
  const rows = ledger.query({
    job: destination.job,
    destination: destination.name,
    states: ["delivered"],
    sort: "delivered_at",
    descending: true,
    limit: WITNESSES,
  });
  if (rows.length === 0) return false;
  const stats = await session.survey(rows.map(({ delivery }) => delivery.target), signal);
  return rows.some(({ delivery }, index) => stats[index]?.bytes === delivery.source.size);
}

/** What is said where the known place is not there: another folder was configured, or another disk is mounted. */
function otherPlace(known: string, { destination, ledger }: Known): Failure {
  const { name, basePath } = destination;
  if (isElsewhere(known, destination)) {
    const count = deliveredTo({ destination, ledger });
    const former = printable(known.split("\n")[2]!);
    return new Failure(
      "folder_changed",
      `Cannot send to ${name}: remote_base_path was changed; ${
        count === 1 ? "1 delivered file is" : `${count} delivered files are`
      } in ` +
        `"${former}", not in "${printable(basePath)}"`,
      { hint: `To send them again, run: image-transfer resume ${name} --send-again. To leave them where they are: --keep` },
    );
  }
  return new Failure(
    "device_missing",
    `Cannot send to ${name}: "${
      printable(basePath)
    }" is on a different disk than before, and none of the delivered files are there`,
    { hint: `Mount the disk; delivery resumes automatically. To use the new disk, run: image-transfer resume ${name}` },
  );
}

function deliveredTo({ destination: { job, name }, ledger }: Known): number {
  return ledger.counts(job, name).delivered;
}

function gb(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

interface Measured {
  readonly destination: Destination;
  about(): { readonly freeBytes: number | null };
}

/** The least that any destination on the same disk has measured, in bytes; null if none has. */
export function freeSpace(boxes: readonly Measured[], ledger: Pick<OutboxLedger, "deviceOf">): (box: Measured) => number | null {
  const least = new Map<string, number>();
  for (const box of boxes) {
    const { freeBytes } = box.about();
    const disk = diskOf(box, ledger);
    if (freeBytes !== null) least.set(disk, Math.min(least.get(disk) ?? Infinity, freeBytes));
  }
  return (box) => box.about().freeBytes === null ? null : least.get(diskOf(box, ledger)) ?? null;
}

/** One key per disk; a destination whose disk is not known has its own. */
function diskOf({ destination: { job, name, transport } }: Measured, ledger: Pick<OutboxLedger, "deviceOf">): string {
  const device = ledger.deviceOf(job, name);
  const login = loginOf(transport);
  return JSON.stringify(device ? [login?.host.toLowerCase() ?? null, login?.port ?? null, diskIn(device)] : [job, name]);
}
