/**
 * From a checked tree to the settings: keys further up become the defaults of those below, every default is filled in, every
 * path is made absolute, and contradictions are reported.
 */
import { isSection, listOf, type Path } from "../read/source.ts";
import { expandPath, isHidden, isWithin } from "./expand_path.ts";
import { inZone, resolveDestination, splitWatched } from "./resolve_destination.ts";
import { notesOf } from "./notes.ts";
import { expandSecret, refuse, resolved, resolveKeys, type Resolving, type Section, withDefaults } from "./resolving.ts";
import { commonKeys } from "../schema/schema_destination.ts";
import { finishedKeys, hookKey, jobShape, nightKeys, scheduleKeys, watchKeys } from "../schema/schema_job.ts";
import { CANNOT_REMOVE } from "../schema/schema_methods.ts";
import {
  type Destination,
  isOnThisComputer,
  type Job,
  type LogSettings,
  type PocketbaseSettings,
  serverOf,
  type Settings,
  type WebSettings,
} from "../settings.ts";
import type { Hook } from "../../domain/hook.ts";
import { mayMatchOneName } from "../../domain/names/globs.ts";
import { nearestKey } from "../../domain/names/nearest_key.ts";
import { isHostName } from "../../domain/names/host_name.ts";
import { daemonKeys, loadKeys, logKeys, pocketbaseShape, programShape, webKeys, webShape } from "../schema/schema_program.ts";

/** The settings, and the same as a complete configuration file: jobs with their destinations, every key with its value. */
export type FullSettings = Settings & Required<Pick<Settings, "full">>;

/** Resolves a checked tree. If anything was reported to `to.report`, the settings must not be used to send files. */
export function resolve(root: Section, file: string | null, to: Resolving): FullSettings {
  const own = { state_directory: usualStateDirectory(to.around), ...root };
  const options = resolveKeys({ ...loadKeys, ...daemonKeys }, own, [], to);
  const log = logSettings(root, to);
  const web = webSettings(root["web"], to);
  const pocketbase = isSection(root["pocketbase"]) ? pocketbaseSettings(root["pocketbase"], to) : null;
  const written: [Path, Section][] = root["jobs"] === undefined
    ? [[[], { name: "default" }]]
    : listOf(root["jobs"]).map(([index, job]) => [["jobs", index], job]);
  const jobs = written.map(([path, section]) => resolveJob(section, path, root, to));
  refuseSameNames(jobs.map(({ job, path }) => ({ ...job, path })), "job", to);
  refuseLoops(jobs, to);
  checkDeleting(jobs, to);
  const known = jobs.flatMap(({ job }) => job.destinations.map(({ name }) => name));
  for (const { job, path } of jobs) {
    const unknown = job.hooks.flatMap(({ destinations }) => destinations ?? []).find((name) => !known.includes(name));
    if (unknown === undefined) continue;
    const nearest = nearestKey(unknown, known);
    const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    refuse("hooks", `names an unknown destination, "${unknown}"${hint}`, path, to);
  }
  const isHeard = jobs.some(({ job }) => job.hooks.some(({ on }) => on.includes("report")));
  const report = webKeys.report.parse(root["report"]);
  if (report !== false && report.to === undefined && !isHeard) {
    to.report(["report"], '"report.to" is missing: the webhook that receives it, or a hook on report');
  }
  if (report !== false && report.fleet && pocketbase === null) {
    to.report(["report", "fleet"], '"report.fleet" needs "pocketbase": the server that all computers report to');
  }
  // Hooks are told the report at the usual time where nothing else is said.
  const usualReport = isHeard ? { at: REPORT_AT, to: null, fleet: false } : null;
  const namesDestinations = jobs.reduce((sum, { job }) => sum + job.destinations.length, 0) > 1;
  const full = {
    jobs: jobs.map(({ full }) => full),
    ...withDefaults({ bandwidth_limit: commonKeys.bandwidth_limit }, root),
    ...withDefaults(programShape, {
      ...root,
      log_level: log.level,
      log_directory: log.directory,
      log_file: log.file,
      state_directory: options.stateDirectory,
      pid_file: options.pidFile ?? undefined,
      web: web === null ? false : withDefaults(webShape, isSection(root["web"]) ? root["web"] : {}),
    }),
  };
  return {
    ...options,
    file,
    notes: notesOf(jobs, root),
    jobs: jobs.map(({ job }) => job),
    log: { ...log, namesDestinations },
    web,
    report: report === false ? usualReport : { ...report, to: report.to ?? null },
    pocketbase,
    full,
  };
}

function resolveJob(section: Section, path: Path, root: Section, to: Resolving) {
  const merged = { ...root, ...section };
  const options = resolveKeys({ ...watchKeys, ...finishedKeys, ...scheduleKeys, ...hookKey }, merged, path, to);
  const name = String(section["name"] ?? "");
  const watched = splitWatched(options.watchPath);
  const list = listOf(merged["destinations"]);
  const listPath: Path = section["destinations"] === undefined ? [] : path;
  const places: [Path, Section][] = list.length > 0
    ? list.map(([index, destination]) => [[...listPath, "destinations", index], destination])
    : options.hooks.length > 0 && !ADDRESS.some((key) => merged[key] !== undefined)
    // Only watched: the hooks are all it has.
    ? []
    : [[path, {}]];
  const above = { ...merged };
  delete above["name"];
  // At the top, it is the limit of the line. Only a destination that is written there itself has it as its own.
  const isAtTop = list.length === 0 && !ADDRESS.some((key) => section[key] !== undefined);
  if (!isAtTop && section["bandwidth_limit"] === undefined) delete above["bandwidth_limit"];
  const line = inZone(commonKeys.bandwidth_limit.parse(root["bandwidth_limit"]), root);
  const made = places.map(([at, own]) => resolveDestination({ ...above, ...own }, { path: at, job: name, line }, to));
  const destinations = made.map(({ destination }) => destination);
  refuseSameNames(destinations.map(({ name }, index) => ({ name, path: places[index]![0] })), "destination", to);
  const folders = destinations.map(({ transport, basePath, layout }) => JSON.stringify([serverOf(transport), basePath, layout]));
  folders.forEach((folder, index) => {
    if (folders.indexOf(folder) === index) return;
    to.report(places[index]![0], "this destination has the same folder as another destination of the same job");
  });
  const night = resolveKeys(nightKeys, merged, path, to);
  const job: Job = {
    ...options,
    name,
    watchPath: watched.folder,
    ...(watched.below === null ? {} : { nightFolder: watched.below }),
    night,
    hooks: options.hooks.map((hook) => resolveHook(hook, path, to)),
    schedule: "timezone" in options.schedule
      ? { ...options.schedule, timezone: options.schedule.timezone ?? night.timezone }
      : options.schedule,
    destinations,
  };
  const full = {
    name,
    ...withDefaults(jobShape, merged),
    watch_path: options.watchPath,
    destinations: made.map((one) => one.full),
  };
  return { job, path, full, written: made.map((one) => one.written), places: places.map(([at]) => at) };
}

/** Secrets may be environment variables; the program and its folder may begin with `~`. */
function resolveHook(hook: Hook, path: Path, to: Resolving): Hook {
  const { receiver } = hook;
  if (receiver.kind === "url") {
    const secretOf = (written: string) => resolved("hooks", expandSecret(written, to.around), path, to);
    const url = secretOf(receiver.url);
    if (url !== "" && URL.parse(url) === null) {
      refuse("hooks", `has an invalid url: ${receiver.url}`, path, to);
    }
    return { ...hook, receiver: { ...receiver, url, secret: receiver.secret === null ? null : secretOf(receiver.secret) } };
  }
  const [program = "", ...args] = receiver.argv;
  const folder = (written: string) => resolved("hooks", expandPath(written, to.around), path, to);
  // A mere name is looked for on the PATH.
  const found = /[/\\~$]/.test(program) ? folder(program) : program;
  return { ...hook, receiver: { ...receiver, argv: [found, ...args], cwd: receiver.cwd === null ? null : folder(receiver.cwd) } };
}

/** What is deleted here or there must be proven, and nothing may be deleted at both ends, also where two jobs deliver the same files. */
function checkDeleting(jobs: readonly PlacedJob[], to: Resolving): void {
  for (const { job, path, places } of jobs) {
    const unproven = job.destinations.find(({ verify }) => verify !== "checksum");
    if (job.deleteSource && unproven !== undefined) {
      const { name, verify } = unproven;
      refuse("delete_source", `needs verify_transfer: true at every destination; "${name}" has ${verify}`, path, to);
    }
    const remover = jobs.find((other) => other.job.deleteSource && other.job !== job && shareFiles(other.job, job, to));
    job.destinations.forEach((destination, index) => {
      if (!destination.deleteDestinationFiles) return;
      const refuseMirror = (fault: string) => refuse("delete_destination_files", fault, places[index]!, to);
      const { name, verify, transport: { method } } = destination;
      if (job.deleteSource) {
        refuseMirror('cannot be used with "delete_source": what is removed here after delivery would be removed there as well');
      } else if (verify !== "checksum") refuseMirror(`needs verify_transfer: true at every mirror; "${name}" has ${verify}`);
      else if (CANNOT_REMOVE.has(method)) refuseMirror(`is not possible with transfer_method: ${method}`);
      if (remover === undefined) return;
      const fault = `cannot be used while the job "${remover.job.name}" removes the same files here (delete_source)`;
      refuseMirror(`${fault}: they would be removed there as well`);
    });
  }
}

/** One watches the folder of the other or one in it, and nothing says that they want different files. */
function shareFiles(a: Job, b: Job, { around: { platform } }: Resolving): boolean {
  const isIn = (path: string, folder: string) => isWithin(path, folder, platform);
  const sees = (one: Job, { watchPath: other }: Job) =>
    isIn(other, one.watchPath) && (one.recursive || isIn(one.watchPath, other));
  return a.watchPath !== "" && b.watchPath !== "" && (sees(a, b) || sees(b, a)) &&
    a.filePatterns.some((one) => b.filePatterns.some((other) => mayMatchOneName(one, other))) &&
    !isExcluded(a, b) && !isExcluded(b, a);
}

function isExcluded({ excludePatterns }: Job, { filePatterns }: Job): boolean {
  return filePatterns.every((pattern) => excludePatterns.includes(pattern));
}

function refuseSameNames(named: readonly { readonly name: string; readonly path: Path }[], what: string, to: Resolving): void {
  const names = named.map(({ name }) => name.toLowerCase());
  named.forEach(({ name, path }, index) => {
    if (name === "" || names.indexOf(names[index]!) === index) return;
    to.report([...path, "name"], `there are two ${what}s named "${name}"; names must be unique`);
  });
}

/** With one of these, a job has a destination. */
const ADDRESS = ["remote_host", "remote_base_path", "transfer_method", "remote"] as const;
const REPORT_AT = "08:00";

/** A job, and where each of its destinations is in the file. */
interface PlacedJob {
  readonly job: Job;
  readonly path: Path;
  readonly places: readonly Path[];
}

/** Refuses destinations on this computer in the watched folder of their own job, or of jobs that send to each other. */
function refuseLoops(placed: readonly PlacedJob[], to: Resolving): void {
  const jobs = placed.map(({ job }) => job);
  const overlap = (one: string, other: string) =>
    one !== "" && other !== "" && (isWithin(one, other, to.around.platform) || isWithin(other, one, to.around.platform));
  const feeds = (destination: Destination, job: Job) =>
    isOnThisComputer(destination) && overlap(destination.basePath, job.watchPath);
  const leadsTo = (from: Job, goal: Job, seen: readonly Job[] = []): boolean =>
    !seen.includes(from) &&
    jobs.some((next) =>
      from.destinations.some((destination) => feeds(destination, next)) &&
      (next === goal || leadsTo(next, goal, [...seen, from]))
    );
  for (const { job, places } of placed) {
    job.destinations.forEach((destination, index) => {
      const place = to.placeOf(places[index]!, "remote_base_path");
      const next = jobs.find((other) => other !== job && feeds(destination, other) && leadsTo(other, job));
      if (feeds(destination, job)) {
        const both = `the destination ${destination.basePath} and the watched folder ${job.watchPath} overlap`;
        to.report(place, `${both}: files would be sent in a loop`);
      } else if (next) {
        to.report(place, `files would be sent in a loop: from the job "${job.name}" to "${next.name}" and back`);
      }
    });
  }
}

function pocketbaseSettings(written: Section, to: Resolving): PocketbaseSettings {
  const settings = resolveKeys(pocketbaseShape, written, ["pocketbase"], to);
  const { admin_password: password, admin_password_file: file } = written;
  if (password !== undefined && file !== undefined) {
    to.report(["pocketbase", "admin_password_file"], '"admin_password" and "admin_password_file" are both set; keep one');
  }
  if (password === undefined && file === undefined) {
    to.report(["pocketbase"], '"pocketbase" needs "admin_password" or "admin_password_file"');
  }
  const url = URL.parse(settings.url);
  const isInClear = url?.protocol === "http:";
  if (settings.tlsCa !== null && isInClear) {
    refuse("tls_ca", "is for an https URL; http sends everything in clear, the password too", ["pocketbase"], to);
  }
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "localhost";
  if (isInClear && !isLoopback(host) && settings.allowHttp?.toLowerCase() !== host) {
    const advice = `use https, or, where nobody else can listen, set "allow_http: ${host}"`;
    refuse("url", `must not be http: it sends the password in clear; ${advice}`, ["pocketbase"], to);
  }
  const folder = (key: string) => (written: string): string => {
    const path = resolved(key, expandPath(written, to.around), ["pocketbase"], to);
    if (isHidden(path)) refuse(key, `cannot allow hidden folders, "${written}"`, ["pocketbase"], to);
    return path;
  };
  const place = (written: string) => /^[~/\\$]|^[a-z]:[\\/]/i.test(written) ? folder("may_send_to")(written) : written;
  return {
    ...settings,
    mayWatch: settings.mayWatch.map(folder("may_watch")),
    maySendTo: settings.maySendTo.map(place),
  };
}

/** A `log_file` with a folder in it makes `log_directory` meaningless. */
function logSettings(root: Section, to: Resolving): Omit<LogSettings, "namesDestinations"> {
  const options = resolveKeys(logKeys, root, [], to);
  const path = (key: string, written: string) => resolved(key, expandPath(written, to.around), [], to);
  if (!/[/\\]/.test(options.file)) return { ...options, directory: path("log_directory", options.directory) };
  const whole = path("log_file", options.file);
  const end = Math.max(whole.lastIndexOf("/"), whole.lastIndexOf("\\"));
  return { ...options, directory: whole.slice(0, Math.max(end, 1)), file: whole.slice(end + 1) };
}

/** Where a system keeps the state of programs; systemd gives a service its own folder. */
function usualStateDirectory(around: Resolving["around"]): string {
  const given = around.env("STATE_DIRECTORY")?.split(":")[0];
  if (given && around.platform === "linux") return given;
  if (around.platform === "darwin") return "~/Library/Application Support/image-transfer";
  if (around.platform === "windows") return `${around.env("LOCALAPPDATA") ?? "~\\AppData\\Local"}\\image-transfer`;
  return "~/.local/state/image-transfer";
}

function webSettings(written: unknown, to: Resolving): WebSettings | null {
  if (written === false) return null;
  const { listen, ...options } = resolveKeys(webShape, isSection(written) ? written : {}, ["web"], to);
  // `host:port`, `[v6]:port`, or a port alone, which means this computer only.
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(String(listen).trim()) ?? [];
  const [host, port] = [bracketed ?? plain ?? "127.0.0.1", Number(digits ?? NaN)];
  if (!(port <= 65535 && isHostName(host))) {
    refuse("listen", `must be an address and a port, like 127.0.0.1:9090, not "${listen}"`, ["web"], to);
    return null;
  }
  const settings = { ...options, host, port };
  for (const [key, token] of [["token", settings.token], ["metrics_token", settings.metricsToken]] as const) {
    if (token !== null && token.length < 16) refuse(key, "must be text of at least 16 characters", ["web"], to);
  }
  if ((settings.tlsCert === null) !== (settings.tlsKey === null)) {
    const key = settings.tlsCert === null ? "tls_key" : "tls_cert";
    to.report(["web", key], '"web.tls_cert" and "web.tls_key" must be set together; one is missing');
  }
  if (!isLoopback(host) && (settings.token === null || settings.tlsCert === null)) {
    const what = `lets other computers connect at ${host}; this also requires "token", "tls_cert" and "tls_key"`;
    refuse("listen", what, ["web"], to);
  }
  return settings;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
