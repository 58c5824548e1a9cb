/**
 * What `doctor` tries at a destination: connect, find the folder, and deliver a small file: stage, hash, publish,
 * read back. Nothing is left there, and no final name is made outside of our own staging folder.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { join } from "@std/path";
import type { Destination, Settings } from "../../config/settings.ts";
import { type LoopGuard, loopGuard } from "../../daemon/loop_guard.ts";
import { acceptCommand } from "../../delivery/mirror/mirror.ts";
import { attach, demandPlace, knownPlace, madeNow, notMounted, placeOf } from "../../delivery/mount.ts";
import { Failure, type FailureRecord } from "../../domain/failure.ts";
import { counted } from "../../domain/words.ts";
import { verify } from "../../domain/receipt.ts";
import type { History } from "../../ledger/history.ts";
import { auditStatus } from "../../reports/overview/status_report.ts";
import type { System } from "../../system/system.ts";
import { auditLine } from "../text/status_text.ts";
import { checkHere, type HereTools } from "./check_here.ts";
import { askDestination, type Asking, type AskTools } from "./ask_destination.ts";
import { fault, type Finding, findingsAbout, ok, type Remark, warning } from "./finding.ts";

/** All checks of `doctor`: this computer first, then one destination after the other; the order of `doctor --json`. */
export async function checkAll(settings: Settings, tools: HereTools): Promise<Finding[]> {
  const findings = await checkHere(settings, tools);
  for (const destination of settings.jobs.flatMap(({ destinations }) => destinations)) {
    findings.push(...await checkDestination(destination, settings, tools));
  }
  return findings;
}

/** Tries a destination; the first thing that fails ends the try. */
export async function checkDestination(
  destination: Destination,
  settings: Settings,
  tools: AskTools,
): Promise<Finding[]> {
  const { system, signal } = tools;
  const found: Remark[] = [];
  try {
    await askDestination(destination, settings, tools, async (asking) => {
      found.push(ok(`Connected by ${asking.session.method}: ${asking.session.about}`));
      found.push(...await mount(destination, settings, asking, tools));
      found.push(await roundTrip(destination, settings, asking, system, signal));
    });
  } catch (error) {
    signal.throwIfAborted();
    found.push(fault(error));
  }
  return findingsAbout(`destination ${destination.name} of job ${destination.job}`, found);
}

/** Its folder, and what follows from how it is set up. */
async function mount(
  destination: Destination,
  settings: Settings,
  { session, stagingRoot }: Asking,
  { system, signal, readLedger }: AskTools,
): Promise<Remark[]> {
  const { job, name, audit, basePath } = destination;
  using ledger = readLedger(settings.stateDirectory);
  const known = knownPlace({ destination, ledger });
  const probe = `doctor-${system.randomHex(4)}`;
  const before = system.now();
  const found = await attach(session, { destination, ledger, known, probe }, signal);
  const after = system.now();
  const remarks: Remark[] = [];
  let madeAt: number | null;
  try {
    // The folder that was just made there has the time of its clock.
    madeAt = await session.modifiedAt(`${stagingRoot}/${probe}`, signal);
    const guard = guards.get(settings) ?? loopGuard(() => settings.jobs, system);
    guards.set(settings, guard);
    await guard.check(destination, { stagingRoot, name: probe }, signal);
  } finally {
    await session.sweep(null, signal);
  }
  await demandPlace(session, { destination, ledger, known, place: placeOf(found, destination) }, signal);
  const { method, user } = { user: null, ...destination.transport };
  if (method === "ftp" && user !== null) {
    remarks.push(warning("FTP sends the password in clear", "Use transfer_method: ftps if the server has TLS."));
  }
  const [lacks, avoids] = NO_HASH[method] ?? ["the destination has no shell to hash them", " Shell access avoids it."];
  remarks.push(
    session.proof === "checksum"
      ? ok("Files are verified by a hash computed at the destination")
      : warning(`Files are verified by reading them back: ${lacks}`, `This is as safe, but doubles the traffic.${avoids}`),
  );
  if (audit !== null && destination.verify !== "checksum") {
    const what = `Audits can compare only sizes here: verify_transfer is ${destination.verify}, so no hash is recorded`;
    remarks.push(warning(what, "Set verify_transfer: true; files delivered earlier remain without a hash."));
  } else if (audit !== null) {
    const line = auditLine(auditStatus(audit, ledger.auditOf(job, name), system.now()));
    remarks.push(ok(line.charAt(0).toUpperCase() + line.slice(1)));
  }
  if (madeAt !== null) {
    const ahead = clockAhead(madeAt, before, after);
    const off = `${Math.round(Math.abs(ahead) / 1000)} s ${ahead > 0 ? "ahead of" : "behind"}`;
    const hint =
      "Synchronise both with NTP: an audit tells damage from edits by file times, and files made there get wrong ages and nights.";
    const isOff = Math.abs(ahead) > CLOCKS_DIFFER_MS;
    remarks.push(isOff ? warning(`Its clock is ${off} this computer's`, hint) : ok("Its clock agrees with this computer's"));
  }
  if (found.made) remarks.push(warning(...madeNow(destination)));
  const held = ledger.mirrorOf(job, name)?.held ?? null;
  if (held !== null) {
    const hint = `If the files were deleted on purpose, run: ${acceptCommand(job, name)}`;
    remarks.push(warning(`Nothing is removed there: ${held.reason}`, hint));
  }
  const doubt = notMounted(destination, found);
  if (doubt !== null) remarks.push(warning(doubt.message, doubt.hint));
  const { freeBytes } = found;
  if (freeBytes === null) return [...remarks, warning(`Folder ${basePath}: free space is unknown`, "")];
  const free = `Folder ${basePath}, ${formatBytes(freeBytes)} free`;
  if (freeBytes < destination.minimumFreeBytes) {
    throw new Failure("disk_full", `${free}, less than minimum_free_space_gb`, {
      hint: "Free some space there, or lower minimum_free_space_gb.",
    });
  }
  const nights = nightsLeft(destination, freeBytes, ledger);
  if (nights === null) return [...remarks, ok(free)];
  const text = `${free}: enough for ${counted(nights, "night")} like the most recent ones`;
  const isEnough = nights >= FEW_NIGHTS;
  return [...remarks, isEnough ? ok(text) : warning(text, "Free some space there before it is full; delivery would wait then.")];
}

const NO_FTP_HASH = [
  "the destination has no command to hash them",
  " A server with the command HASH (proftpd with mod_digest) avoids it.",
] as const;
/** Why files are read back, and what avoids it; without a line, for want of a shell. */
const NO_HASH: Readonly<Record<string, readonly [string, string]>> = {
  rclone: ["the store tells no hash that proves what it holds", ""],
  ftp: NO_FTP_HASH,
  ftps: NO_FTP_HASH,
};

/** With fewer nights left, a person should act. */
const FEW_NIGHTS = 3;

/** One for all destinations of a configuration: files may come back through another job. */
const guards = new WeakMap<Settings, LoopGuard>();

async function roundTrip(
  destination: Destination,
  settings: Settings,
  { session, stagingRoot }: Asking,
  system: System,
  signal: AbortSignal,
): Promise<Remark> {
  const name = `doctor-${system.pid}.txt`;
  const path = join(settings.stateDirectory, name);
  await system.writeText(path, `image-transfer doctor, ${new Date(system.now()).toISOString()}\n`);
  try {
    const facts = await system.facts(path);
    const sent = await system.hash(path, signal);
    const source = {
      job: destination.job,
      path: name,
      absolutePath: path,
      size: sent.bytes,
      mtimeMs: facts?.mtimeMs ?? 0,
      ctimeMs: 0,
      identity: "",
    };
    const staged = `${stagingRoot}/doctor/1`;
    const target = `${stagingRoot}/doctor/published/${name}`;
    await session.sweep(null, signal);
    const [put] = await session.put([{ source, staged }], () => {}, signal);
    if (put && !put.put) throw failureOf(put.failure);
    verify(sent, (await session.digest([staged], signal))[0] ?? null, session.proof, system.now());
    const { fileMode, directoryMode } = destination;
    const [published] = await session.publish([{ staged, target, onConflict: "fail", fileMode, directoryMode }], signal);
    if (published && !published.published) throw failureOf(published.failure);
    verify(sent, (await session.digest([target], signal))[0] ?? null, session.proof, system.now());
  } finally {
    await session.sweep(null, signal);
    await system.remove(path);
  }
  const verified = session.durability === "unconfirmed" ? "verified" : "flushed, hashed";
  return ok(`A small file was written, ${verified}, renamed, read and removed there`);
}

function failureOf({ code, message, hint, next }: FailureRecord): Failure {
  return new Failure(code, message, { hint, next });
}

/** Beyond this, times that were made here and there must not be compared. */
const CLOCKS_DIFFER_MS = 2_000;

/** By how much the clock of a destination is ahead of this computer's for certain; negative where it is behind. */
export function clockAhead(there: number, before: number, after: number): number {
  // Many servers tell whole seconds: it was any moment of that second.
  const latest = there % 1000 === 0 ? there + 999 : there;
  if (there > after) return there - after;
  return latest < before ? latest - before : 0;
}

/** Nights that the rate is taken from. */
const NIGHTS = 7;
/** Fewer say nothing. */
const ENOUGH = 2;

/** Nights that fit into the space above `minimum_free_space_gb`; null where there is too little history, or nothing was sent. */
export function nightsLeft(
  { job, name, minimumFreeBytes }: Pick<Destination, "job" | "name" | "minimumFreeBytes">,
  freeBytes: number,
  ledger: Pick<History, "nights" | "nightTotals">,
): number | null {
  const sent = ledger.nights().slice(-NIGHTS).flatMap((night) =>
    ledger.nightTotals(night).places.filter((place) => place.job === job && place.destination === name).map(({ bytes }) => bytes)
  );
  const sum = sent.reduce((all, bytes) => all + bytes, 0);
  if (sent.length < ENOUGH || sum === 0) return null;
  return Math.max(0, Math.floor((freeBytes - minimumFreeBytes) / (sum / sent.length)));
}
