/**
 * Finds the base path of a destination and makes sure that it is the same place as before: without its disk, the empty mount
 * point must not be filled.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { Destination } from "../config/settings.ts";
import { printable } from "../domain/names/printable.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import type { Mount, Session } from "../methods/method.ts";

/** Which place is looked for, and what is known of it. */
interface MountOptions {
  readonly destination: Destination;
  readonly ledger: Pick<OutboxLedger, "deviceOf" | "rememberDevice" | "query">;
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
 * The mount under the base path. The folder is made at the first contact only.
 *
 * @throws {Failure} `device_missing`, or what the session throws.
 */
export async function findMount(
  session: Pick<Session, "attach" | "survey">,
  options: MountOptions,
  signal: AbortSignal,
): Promise<Mount> {
  const { destination, ledger, accept } = options;
  const known = ledger.deviceOf(destination.job, destination.name);
  const mount = await session.attach(known === null || accept, signal, options.probe);
  const device = deviceOf(mount);
  const doubt = known === null ? notMounted(destination, mount) : null;
  if (doubt !== null) options.log?.("warning", `${doubt.message} ${doubt.hint}`);
  if (mount.made) options.log?.("info", madeNow(destination).join(" "));
  const remember = () => ledger.rememberDevice(destination.job, destination.name, device);
  if (known === null) remember();
  else if (!accept && differ(known, device)) {
    if (!await hasWitness(session, options, signal)) throw otherDevice(destination);
    remember();
  } else if (!accept && mount.born !== undefined && device !== known) remember();
  return mount;
}

/** What is remembered of a mount: its device, and behind a line break when its folder was made, where that is told. */
export function deviceOf({ device, born }: Mount): string {
  return device === null || born === undefined ? device ?? "" : `${device}\n${born}`;
}

/** The device alone of what is remembered: the same for two folders of one disk. */
export function diskIn(remembered: string): string {
  return remembered.split("\n")[0]!;
}

/**
 * For commands that only look: makes sure that this is where the files were delivered, before any are reported as missing.
 *
 * @throws {Failure} `device_missing`, or what the session throws.
 */
export async function demandKnownPlace(
  session: Pick<Session, "attach" | "survey">,
  { destination, ledger }: { readonly destination: Destination; readonly ledger: Pick<OutboxLedger, "deviceOf" | "query"> },
  signal: AbortSignal,
): Promise<void> {
  const device = deviceOf(await session.attach(false, signal));
  const known = ledger.deviceOf(destination.job, destination.name) ?? "";
  if (differ(known, device) && !await hasWitness(session, { destination, ledger }, signal)) throw otherDevice(destination);
}

/**
 * Empty is a device that is not told. A reboot can change device numbers: then the delivered files show whether it is the same disk.
 */
export function differ(known: string, device: string): boolean {
  if (known === "" || device === "") return false;
  const [[knownDisk, knownBorn], [disk, born]] = [known.split("\n"), device.split("\n")];
  return knownDisk !== disk || (knownBorn !== undefined && born !== undefined && knownBorn !== born);
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
  throw new Failure(
    "disk_full",
    `Cannot send to ${name}: ${gb(freeBytes)} GB free, ${gb(minimumFreeBytes)} GB must stay free`,
    {
      hint: "Free some space there; delivery resumes automatically. See minimum_free_space_gb.",
    },
  );
}

/** Whether a delivered file is there: then it is the same disk, whatever its device number is now. */
export async function hasWitness(
  session: Pick<Session, "survey">,
  { destination, ledger }: { readonly destination: Destination; readonly ledger: Pick<OutboxLedger, "query"> },
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

function otherDevice({ name, basePath }: Destination): Failure {
  return new Failure(
    "device_missing",
    `Cannot send to ${name}: "${basePath}" is on a different disk than before, and none of the delivered files are there`,
    {
      hint: `Mount the disk; delivery resumes automatically. To use the new disk, run: image-transfer resume ${name}`,
    },
  );
}

function gb(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
