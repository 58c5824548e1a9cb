/**
 * `sync`: has the running daemon list the watched folders at once and deliver what is new; or certain files, whatever they wait for.
 */
import { object } from "@optique/core/constructs";
import { multiple } from "@optique/core/modifiers";
import type { Suggestion } from "@optique/core/parser";
import { absolutePath } from "../config/read/find_config.ts";
import type { Job } from "../config/settings.ts";
import { checkName } from "../daemon/known_name.ts";
import { Failure } from "../domain/failure.ts";
import { counted } from "../domain/words.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import { patternsOf } from "../intake/patterns.ts";
import { reservedName } from "../intake/source_faults.ts";
import { asideFailure } from "../intake/watch/left_aside.ts";
import { relativePathOf } from "../intake/source_path.ts";
import type { ReadLedger } from "../ledger/ledger.ts";
import { defineCommand, EXIT, notices, tell, type Tools } from "./command.ts";
import { configOption, jsonOption, pathValue, placeholder, word } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";
import { deliveriesOf, isPattern, isRetryable } from "./text/chosen_files.ts";

const jobsAndFiles = {
  ...pathValue("JOB|FILE"),
  *suggest(prefix: string): Generator<Suggestion> {
    yield placeholder("JOB");
    yield* pathValue("JOB|FILE").suggest!(prefix);
  },
};

/** Asks, and does not wait for the listing. Exit code 2 for a file that no job sends, 4 without a daemon. */
export const sync = defineCommand({
  name: "sync",
  help: "Scan for new files and deliver them now",
  description:
    "Scans the watched folders of all jobs, or of the named jobs and those that watch the named files, and sends what is " +
    "waiting, whatever the schedule says. Named files that failed or are waiting for their next attempt are retried at once.",
  parser: object({
    config: configOption,
    json: jsonOption,
    words: multiple(
      word(jobsAndFiles, 'Only these jobs, or files, folders or patterns like "*.fits"'),
    ),
  }),
  async run({ config, json, words }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) {
      const code = await sayNoDaemon(tools, settings);
      if (settings.file !== null) {
        tools.stderr("Without a daemon, image-transfer run --once delivers the files that are there and exits.\n");
      }
      return code;
    }
    const wanted = new Set<string | undefined>(words.length === 0 ? [undefined] : []);
    // Deliveries that failed or wait for their next attempt.
    const ids = new Set<number>();
    const already: string[] = [];
    if (words.length > 0) {
      const { jobs } = await daemon.ask("settings");
      using ledger = tools.readLedger(settings.stateDirectory, notices(tools));
      for (const word of words) {
        const isJob = jobs.some(({ name }) => name === word);
        for (const name of isJob ? [word] : await jobsWatching(word, jobs, tools)) wanted.add(name);
        let delivered = 0;
        for (const delivery of isJob ? [] : deliveriesOf(word, {}, ledger, tools)) {
          if (delivery.state.state === "delivered") delivered++;
          if (isRetryable(delivery)) ids.add(delivery.id);
        }
        await refuseLeftAside(word, jobs, ledger, tools);
        const which = `${counted(delivered, "delivery", "deliveries")} of ${pathField(word)}`;
        if (delivered > 0) already.push(`Already delivered: ${which}. To check: image-transfer verify\n`);
      }
    }
    // Before the run that the scan begins: that may end before a later request arrives.
    const retried = ids.size === 0 ? 0 : (await daemon.ask("retry", { ids: [...ids] })).count;
    const jobs: string[] = [];
    for (const job of wanted) jobs.push(...(await daemon.ask("sync", { job })).jobs);
    const lines = [
      `Scanning for new files: ${jobs.map(printable).join(", ")}\n`,
      ...retried === 0 ? [] : [`Retrying now: ${counted(retried, "delivery", "deliveries")}\n`],
      ...already,
    ];
    tell(json, { jobs, retried }, lines.join(""), tools);
    return EXIT.done;
  },
});

/** @throws {Failure} `configuration` for a file that every job leaves aside which would send it. */
async function refuseLeftAside(word: string, jobs: readonly Job[], ledger: ReadLedger, { cwd, system }: Tools): Promise<void> {
  const absolute = absolutePath(word, cwd, system);
  const facts = await system.followedFacts(absolute).catch(() => null);
  if (facts?.kind !== "file") return;
  const wanting = jobs.flatMap((job) => {
    const path = relativePathOf(job.watchPath, absolute, system.separator);
    if (path === null || !patternsOf(job).wants(path)) return [];
    const { fresh } = ledger.unknown(job.name, [{ path, ...facts }], job.destinations.map(({ name }) => name));
    const olderThan = job.newerThan === null ? undefined : ledger.leftAside(job.name)?.olderThan;
    return [{ job, olderThan: fresh.length > 0 && olderThan !== undefined && facts.mtimeMs < olderThan ? olderThan : null }];
  });
  const [first] = wanting;
  if (first?.olderThan == null || wanting.some(({ olderThan }) => olderThan === null)) return;
  const { message, hint } = asideFailure(first.olderThan, first.job.night.timezone);
  throw new Failure("configuration", `"${printable(absolute)}" is not sent. ${message}`, { hint: `${hint}.` });
}

/**
 * The jobs that send a file, or watch a folder or one below it; for a pattern all.
 *
 * @throws {Failure} `configuration` for a word that names no file that a job sends.
 */
async function jobsWatching(word: string, jobs: readonly Job[], { cwd, system }: Tools): Promise<string[]> {
  const path = absolutePath(word, cwd, system);
  const facts = await system.followedFacts(path).catch(() => null);
  if (facts === null) {
    if (isPattern(word)) return jobs.map(({ name }) => name);
    // A misspelt job is more likely than a file that is not there.
    if (!/[\\/]/.test(word)) checkName("job", word, jobs.map(({ name }) => name));
    throw new Failure("configuration", `"${path}" does not exist`, { hint: "Specify a job, a file, a folder or a pattern." });
  }
  const { separator } = system;
  const watching = jobs.flatMap((job) => {
    const below = relativePathOf(job.watchPath, path, separator);
    return below !== null || relativePathOf(path, job.watchPath, separator) !== null ? [{ job, below }] : [];
  });
  if (watching.length === 0) {
    throw new Failure("configuration", `No job watches "${path}"`, {
      hint: `Watched: ${jobs.map(({ watchPath }) => watchPath).join(", ")}. To send it anyway: image-transfer copy SOURCE DEST`,
    });
  }
  const sending = facts.kind === "folder" ? watching : watching.filter(({ job, below }) => patternsOf(job).wants(below ?? ""));
  if (sending.length > 0) return sending.map(({ job }) => job.name);
  const reserved = watching.find(({ job, below }) => patternsOf(job).isReserved(below ?? ""))?.below;
  if (reserved) {
    const { code, message, hint } = reservedName(reserved);
    throw new Failure(code, message, { hint });
  }
  throw new Failure("configuration", `"${path}" is not sent: it does not match the patterns of job ${watching[0]!.job.name}`, {
    hint: "To send files like it, add a pattern to file_patterns; to send only this one: image-transfer copy SOURCE DEST",
  });
}
