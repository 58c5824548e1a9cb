/**
 * What must hold after a chaos night, when everything is mended and quiet: I1 to I5, the truth of ledger and log, and
 * no growth without bound.
 */
import { join } from "@std/path";
import { pathField } from "../../src/domain/names/printable.ts";
import type { DeliveryJson } from "../../src/reports/delivery/delivery_json.ts";
import type { Camera } from "./chaos_camera.ts";
import { command } from "./chaos_faults.ts";
import { DESTINATIONS, type Site } from "./chaos_site.ts";
import { sha256 } from "./fits_maker.ts";
import { finalNames, stagingRemains } from "./observer.ts";

/** Far longer than the longest pause between two tries. */
const QUIET_SECONDS = 120;

/** Eight ways of a destination, each with a connection, its channels and pipes; what leaks goes far beyond. */
const MOST = { openFiles: 400, children: 100 };

/** Waits until all is quiet, retries what was given up, stops the daemon; every promise that does not hold, as text. */
export async function verdict(site: Site, tell: (what: string) => void): Promise<string[]> {
  const offences: string[] = [];
  await command(site, ["resume"]);
  let rows = await quiet(site, offences);
  const failed = missing(site, rows);
  tell(
    `quiet: ${counts(rows)}; given up though they stand: ${failed.length} ${[
      ...new Set(failed.map(({ row }) => row?.error?.code)),
    ]}`,
  );
  for (const { what, row } of failed) {
    if (!isTrue(row)) offences.push(`${what}: ${JSON.stringify(row?.error ?? row ?? "no row")}`);
  }
  for (const row of rows) {
    if (row.state === "failed" && (row.error === null || row.error.message === "" || !KNOWN.has(row.error.code))) {
      offences.push(`failed for an unlikely reason: ${row.path} ${JSON.stringify(row.error)}`);
    }
  }
  if (failed.length > 0) {
    await command(site, ["retry", "--all"]);
    rows = await quiet(site, offences);
    for (const { what, row } of missing(site, rows)) {
      offences.push(`${what}, even after retry: ${JSON.stringify(row ?? "no row")}`);
    }
  }
  const verified = await site.installation.command(["verify"], site.server.env);
  if (verified.code !== 0) offences.push(`verify: ${verified.stdout.slice(-2000)}${verified.stderr.slice(-2000)}`);
  const use = await site.daemon.use();
  tell(`now ${JSON.stringify(use)}, at most ${JSON.stringify(site.daemon.most)}`);
  if (use.openFiles > MOST.openFiles || use.children > MOST.children) {
    offences.push(`it holds much while nothing is to do: ${JSON.stringify(use)}`);
  }
  await site.daemon.stop();
  offences.push(...site.daemon.offences);
  for (const [at, observer] of site.observers.entries()) {
    for (const offence of await observer.stop()) offences.push(`I1 at ${DESTINATIONS[at]}: ${offence}`);
  }
  for (const base of site.bases) for (const name of await stagingRemains(base)) offences.push(`left behind: ${base}/${name}`);
  for (const camera of site.cameras) offences.push(...await sourceHarm(camera, site, rows));
  offences.push(...await untruths(site, rows), ...inTheLog(await site.installation.log(), rows));
  for (const line of site.daemon.output().split("\n")) if (ERRORS.test(line)) offences.push(`printed: ${line}`);
  offences.push(...await leftProcesses(site));
  return offences.map((offence) => offence + storyOf(offence, rows));
}

/** What the ledger knows of the files that an offence names: only a night that went wrong can tell why it did. */
function storyOf(offence: string, rows: readonly DeliveryJson[]): string {
  const of = rows.filter(({ target }) => offence.includes(pathField(target)));
  return of.map(({ id, destination, state, sha256, queued_at, delivered_at, error }) =>
    `\n  #${id} ${destination} ${state} ${error?.code ?? ""} ${sha256?.slice(0, 8)} ${queued_at.slice(11)} ${
      delivered_at?.slice(11)
    }`
  ).join("");
}

interface Missing {
  readonly what: string;
  readonly row: DeliveryJson | undefined;
}

/** What stands here and is not delivered there, with the newest word of the ledger about it. */
function missing(site: Site, rows: readonly DeliveryJson[]): Missing[] {
  const newest = new Map<string, DeliveryJson>();
  const delivered = new Set<string>();
  for (const row of rows) {
    newest.set(`${row.destination}\0${row.path}`, row);
    if (row.state === "delivered") delivered.add(`${row.destination}\0${row.path}\0${row.sha256}`);
  }
  return site.cameras.flatMap(({ job, root, stat }) =>
    site.routes.get(job)!.flatMap((destination) =>
      [...stat].flatMap(([name, hash]) => {
        const key = `${destination}\0${join(root, name)}`;
        if (delivered.has(`${key}\0${hash}`)) return [];
        return [{ what: `${job}/${name} is not delivered to ${destination}`, row: newest.get(key) }];
      })
    )
  );
}

/** Waits until nothing moves any more, and everything that stands is delivered or given up; adds to `offences` what never is. */
export async function quiet(site: Site, offences: string[]): Promise<DeliveryJson[]> {
  const deadline = Date.now() + QUIET_SECONDS * 1000;
  for (;;) {
    const rows = await site.installation.history();
    const waiting = rows.filter(({ state }) => state === "queued" || state === "sending" || state === "deferred");
    const open = missing(site, rows).filter(({ row }) => row?.state !== "failed");
    if (waiting.length === 0 && open.length === 0) return rows;
    if (Date.now() > deadline || !site.daemon.running()) {
      for (const row of waiting.slice(0, 10)) offences.push(`not quiet after ${QUIET_SECONDS} s: ${JSON.stringify(row)}`);
      for (const { what, row } of open.slice(0, 10)) offences.push(`not quiet, ${what}: ${JSON.stringify(row ?? "no row")}`);
      return rows;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function isTrue(row: DeliveryJson | undefined): boolean {
  return row?.state === "failed" && TRUE_WHILE_IT_STANDS.has(row.error?.code ?? "");
}

/** A chaos night makes sources unreadable, and moves their folder away; nothing else can end a file that stands. */
const TRUE_WHILE_IT_STANDS: ReadonlySet<string> = new Set(["source_unreadable"]);
const KNOWN: ReadonlySet<string> = new Set(["source_unreadable", "source_gone", "source_changed", "superseded"]);
const ERRORS = /internal error|Uncaught|panicked|^\s+at .+:\d+:\d+/i;

/** Every source that is there is as its writer left it; only where delivered sources are removed it may be gone. */
async function sourceHarm({ job, root, stat }: Camera, site: Site, rows: readonly DeliveryJson[]): Promise<string[]> {
  const harm: string[] = [];
  for (const [name, hash] of stat) {
    const path = join(root, name);
    const here = await hashOf(path);
    if (here === hash) continue;
    const everywhere = site.routes.get(job)!.every((destination) =>
      rows.some((row) => row.path === path && row.destination === destination && row.state === "delivered" && row.sha256 === hash)
    );
    if (here === null && job === "moving" && everywhere) continue;
    harm.push(`source harmed: ${path} ${here === null ? "is gone" : "has other bytes"}`);
  }
  return harm;
}

/** The newest version has the plain name; what is called delivered stands there, proven (as a former version at least). */
async function untruths(site: Site, rows: readonly DeliveryJson[]): Promise<string[]> {
  const found: string[] = [];
  for (const { job, root, stat } of site.cameras) {
    for (const destination of site.routes.get(job)!) {
      const base = site.base(job, destination);
      const there = new Map<string, Set<string>>();
      for await (const name of finalNames(base)) {
        const hash = await hashOf(join(base, name)) ?? "gone";
        const former = name.replace(/\.v\d+(?=\.|$)/, "");
        for (const key of new Set([name, former])) there.set(key, (there.get(key) ?? new Set()).add(hash));
        const newest = stat.get(name);
        if (newest && newest !== hash) found.push(`${base}/${name} is not the newest version`);
      }
      for (const name of stat.keys()) if (!there.has(name)) found.push(`${base}/${name} is not there`);
      const versions = site.policy(job) === "version";
      for (const row of rows) {
        if (row.job !== job || row.destination !== destination || row.state !== "delivered") continue;
        if (row.proof !== "checksum") found.push(`delivered without proof: ${row.path} ${destination}`);
        const name = row.path.slice(root.length + 1);
        if (versions && !there.get(name)?.has(row.sha256 ?? "")) {
          found.push(`called delivered, not there: ${base}/${name} #${row.id}`);
        }
        if (!there.has(name)) found.push(`called delivered, nothing there: ${base}/${name} #${row.id}`);
      }
    }
  }
  return found;
}

/** One line for each success at most (a crash may take a line with it), no word of a fault of our own. */
function inTheLog(log: string, rows: readonly DeliveryJson[]): string[] {
  const found: string[] = [];
  const successes = new Map<string, number>();
  for (const line of log.split("\n")) {
    const path = line.split(" Successfully transferred ")[1];
    if (path !== undefined) successes.set(path, (successes.get(path) ?? 0) + 1);
    if (ERRORS.test(line)) found.push(`in the log: ${line}`);
  }
  const delivered = new Map<string, number>();
  for (const { path, state } of rows) {
    if (state === "delivered") delivered.set(pathField(path), (delivered.get(pathField(path)) ?? 0) + 1);
  }
  for (const [path, count] of successes) {
    const most = delivered.get(path) ?? 0;
    if (count > most) found.push(`${count} lines of success for ${most} deliveries of ${path}`);
  }
  return found;
}

/** Processes that still have to do with this night, after some time to end. */
async function leftProcesses(site: Site): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  for (let second = 0;; second++) {
    const left = processesNaming(site.folder.path);
    if (left.length === 0 || second === 20) return left;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function processesNaming(folder: string): string[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name) && Number(name) !== Deno.pid)
    .map(({ name }) => ({ pid: name, command: read(`/proc/${name}/cmdline`), env: read(`/proc/${name}/environ`) }))
    .filter(({ command, env }) => `${command}\0${env}`.includes(folder))
    .map(({ pid, command }) => `a process is left: ${pid} ${command.replaceAll("\0", " ").slice(0, 300)}`);
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

async function hashOf(path: string): Promise<string | null> {
  try {
    return await sha256(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

function counts(rows: readonly DeliveryJson[]): string {
  const sums: Record<string, number> = {};
  for (const { state, error } of rows) {
    const what = error ? `${state} ${error.code}` : state;
    sums[what] = (sums[what] ?? 0) + 1;
  }
  return JSON.stringify(sums);
}
