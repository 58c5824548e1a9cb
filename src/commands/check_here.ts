/**
 * What `doctor` looks at on this computer: folders, ledger, limits, the watched folders.
 *
 * @module
 */
import { join } from "@std/path";
import { format as formatBytes } from "@std/fmt/bytes";
import type { Job } from "../domain/job.ts";
import { Failure } from "../domain/failure.ts";
import { observingNight } from "../domain/night.ts";
import { reasonOf } from "../domain/reason.ts";
import type { Settings } from "../domain/settings.ts";
import { openLedger } from "../ledger/open_ledger.ts";
import { faultOf } from "../system/fault.ts";
import type { System } from "../system/system.ts";
import { fault, type Finding, ok, warning } from "./finding.ts";

const HERE = "this computer";
/** Clocks further apart than this make nights and ages doubtful, milliseconds. */
const CLOCK_DRIFT_MS = 5_000;

/** Everything on this computer that the daemon needs. */
export async function checkHere(settings: Settings, system: System, signal: AbortSignal): Promise<Finding[]> {
  return [
    ok(HERE, `Configuration ${settings.file ?? "without a file"}: ${count(settings.jobs.length, "job")}`),
    await writableFolder("state", settings.stateDirectory, system),
    await writableFolder("log", settings.log.directory, system),
    ledger(settings),
    ...await limits(system, signal),
    ...(await Promise.all(settings.jobs.map((job) => checkJob(job, system, signal)))).flat(),
  ];
}

async function writableFolder(what: string, folder: string, system: System): Promise<Finding> {
  const probe = join(folder, `.image-transfer-doctor-${system.pid}`);
  try {
    await system.makeFolder(folder, 0o700);
    await system.writeText(probe, "doctor\n");
    await system.remove(probe);
    const { freeBytes } = await system.space(folder);
    if (freeBytes < 100e6) {
      return warning(
        HERE,
        `Folder for the ${what} ${folder}: only ${formatBytes(freeBytes)} free`,
        "Free some space on this disk.",
      );
    }
    return ok(HERE, `Folder for the ${what} ${folder}, ${formatBytes(freeBytes)} free`);
  } catch (error) {
    const hint = `Make it writable for this account, or set ${what}_directory to another folder.`;
    return fault(
      HERE,
      new Failure("permission_denied", `Cannot write to the folder for the ${what} "${folder}": ${reasonOf(error)}`, { hint }),
    );
  }
}

function ledger(settings: Settings): Finding {
  try {
    using opened = openLedger(settings.stateDirectory, { readOnly: true });
    const damage = opened.integrity();
    const { queued, sending, deferred, delivered, failed } = opened.counts();
    if (damage.length === 0) {
      return ok(HERE, `Ledger is sound: ${delivered} delivered, ${queued + sending + deferred} waiting, ${failed} failed`);
    }
    throw new Failure("internal", `The ledger is damaged: ${damage[0]}`, {
      hint: "The next start moves it aside and begins a new one; what is delivered is recognised at the destinations.",
    });
  } catch (error) {
    return fault(HERE, error);
  }
}

/** Where it cannot be asked there is nothing to say: the daemon itself tells of folders that it has to poll. */
async function limits(system: System, signal: AbortSignal): Promise<Finding[]> {
  if (system.platform !== "linux") return [];
  const most = await watchesAllowed(system, signal);
  if (most === null) return [];
  if (most >= 8192) return [ok(HERE, `The system watches up to ${most} folders`)];
  return [
    warning(
      HERE,
      `The system watches no more than ${most} folders at once`,
      "Raise it: sysctl fs.inotify.max_user_watches=524288. Until then what is over is polled.",
    ),
  ];
}

/** By sysctl, because the compiled program may not read /proc; null where that is not there or does not know. */
async function watchesAllowed(system: System, signal: AbortSignal): Promise<number | null> {
  for (const name of SYSCTL) {
    const program = await system.which(name);
    if (program === null) continue;
    try {
      const { code, stdout } = await system.run({ program, args: ["-n", "fs.inotify.max_user_watches"] }, signal);
      return code === 0 && /^\d+\n?$/.test(stdout) ? Number(stdout) : null;
    } catch (error) {
      signal.throwIfAborted();
      // It is there and may not be started: perhaps another one may.
      if (!(error instanceof Failure)) throw error;
    }
  }
  return null;
}

/** Users have no /sbin on their PATH. */
const SYSCTL = ["sysctl", "/usr/sbin/sysctl", "/sbin/sysctl"];

async function checkJob(job: Job, system: System, signal: AbortSignal): Promise<Finding[]> {
  const about = `job ${job.name}`;
  const night = ok(about, `Tonight is night ${observingNight(system.now(), job.night)}`);
  try {
    const facts = await system.followedFacts(job.watchPath);
    if (facts === null) {
      return [
        warning(
          about,
          `The watched folder ${job.watchPath} is not there`,
          "Correct watch_path, or make the folder; it is watched as soon as it appears.",
        ),
        night,
      ];
    }
    if (facts.kind !== "folder") {
      throw new Failure("not_a_folder", `watch_path "${job.watchPath}" is no folder`, {
        hint: "Name the folder that the camera writes to.",
      });
    }
    const { entries } = await system.list(job.watchPath);
    return [
      ok(about, `Watches ${job.watchPath} (${count(entries.length, "entry", "entries")} at the top)`),
      night,
      ...await clock(job, about, system),
      ...await removal(job, about, system),
    ];
  } catch (error) {
    signal.throwIfAborted();
    const denied = faultOf(error) === "permission";
    return [
      fault(
        about,
        denied
          ? new Failure("source_unreadable", `This account may not read "${job.watchPath}"`, {
            hint: "Give it the right to list the folder and read its files.",
          })
          : error,
      ),
      night,
    ];
  }
}

/** A network drive stamps files with its server's clock; ages and nights are told by it. */
async function clock(job: Job, about: string, system: System): Promise<Finding[]> {
  const { entries } = await system.list(job.watchPath);
  const newest = entries.reduce((latest, { facts }) => Math.max(latest, facts.mtimeMs), 0);
  const ahead = newest - system.now();
  if (ahead < CLOCK_DRIFT_MS) return [];
  return [
    warning(
      about,
      `Something in ${job.watchPath} is dated ${Math.round(ahead / 1000)} s in the future`,
      "Set the clocks of the camera and of this computer by NTP.",
    ),
  ];
}

async function removal(job: Job, about: string, system: System): Promise<Finding[]> {
  if (!job.deleteSource) return [];
  const probe = join(job.watchPath, `.image-transfer-doctor-${system.pid}`);
  try {
    await using _file = await system.createFile(probe);
  } catch (error) {
    const hint = "delete_source needs the right to write in the watched folder.";
    return [
      fault(about, new Failure("permission_denied", `Cannot remove files in "${job.watchPath}": ${reasonOf(error)}`, { hint })),
    ];
  }
  await system.remove(probe);
  return [ok(about, "Files may be removed here after they are proven everywhere (delete_source)")];
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
