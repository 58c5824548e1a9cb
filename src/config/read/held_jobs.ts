/**
 * Which jobs of a PocketBase server this computer's file does not allow (`may_set`, `may_watch`, `may_send_to`), and what it would have
 * to say to allow them. Folders are compared as they are once links are followed: the server may know of one that leads elsewhere.
 */
import { bracketed } from "../../domain/names/printable.ts";
import { dirname as posixDirname } from "@std/path/posix";
import { dirname as windowsDirname } from "@std/path/windows";
import {
  type Destination,
  type HeldJob,
  isOnThisComputer,
  type Job,
  loginOf,
  type PocketbaseSettings,
  serverOf,
  type Settings,
} from "../settings.ts";
import { type ConfigFiles, isHidden, isWithin, type Surroundings } from "../resolve/expand_path.ts";
import { remoteFolder } from "../resolve/resolve_destination.ts";
import type { ConfigKind } from "./parse_settings.ts";
import type { RemoteJob } from "./remote_jobs.ts";

/** What looking at folders takes; without `realPath`, paths count as they are written. */
type LookSystem = Surroundings & Partial<Pick<ConfigFiles, "realPath" | "facts" | "runtimeFolder">>;

interface Judged {
  readonly held: readonly HeldJob[];
  /** By name, the folder from which on no link may lead to the files of a job: somebody else may exchange what lies in it. */
  readonly linkFree: ReadonlyMap<string, string>;
}

/**
 * Which jobs are held, and what the others must not do.
 *
 * @param asked the settings with all jobs of the server as they want to be
 * @param own the settings of the file alone
 */
export async function heldJobs(
  jobs: readonly RemoteJob[],
  asked: Settings,
  own: Settings,
  system: LookSystem,
): Promise<Judged> {
  const { pocketbase } = own;
  const linkFree = new Map<string, string>();
  // Where it decides nothing, nothing waits for a permission.
  if (pocketbase === null || pocketbase.maySet.length === 0) return { held: [], linkFree };
  const named = (list: readonly Job[], name: string) => list.find((job) => job.name.toLowerCase() === name.toLowerCase());
  const rules = await rulesOf(pocketbase, own, system);
  const held: HeldJob[] = [];
  for (const { name, settings } of jobs) {
    const job = named(asked.jobs, name);
    const isAllowed = pocketbase.maySet.includes("jobs");
    // Without its name it is reported as wrong, and of one that the file has only the schedule is asked for.
    if (job === undefined || (!isAllowed && named(own.jobs, name) !== undefined)) continue;
    const variable = textsIn(settings).find((text) => /\$(?!HOME\b)[\w{]|%\w+%/.test(text));
    // Their values would be seen wherever the files are sent, and in what is said of the job.
    const refused = variable === undefined ? null : `it uses an environment variable: ${variable}`;
    const found = { name, ...refused === null ? await judge(job, rules, system) : { refused, watch: [], sendTo: [] } };
    if (!isAllowed || found.refused !== null || found.watch.length + found.sendTo.length > 0) held.push(found);
    else if (job.watchPath !== "") linkFree.set(name, await topWithin(job.watchPath, rules.watch, system));
  }
  return { held, linkFree };
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

interface Rules {
  readonly watch: readonly string[];
  readonly sendTo: readonly string[];
  /** As written: hosts and remotes. */
  readonly elsewhere: readonly string[];
  /** Folders and files of image-transfer itself. */
  readonly ours: readonly string[];
}

async function rulesOf({ mayWatch, maySendTo, cacheDir }: PocketbaseSettings, own: Settings, system: LookSystem): Promise<Rules> {
  const isFolder = (place: string) => /^[/\\]|^[a-z]:[\\/]/i.test(place);
  const real = async (paths: readonly (string | null)[]) => {
    const found = await Promise.all(paths.map((path) => path && realPath(path, system)));
    return found.filter((path): path is string => path !== null && path !== "");
  };
  const { file, stateDirectory } = own;
  const folder = file === null ? null : parentOf(file, system);
  return {
    watch: await real(mayWatch),
    sendTo: await real(maySendTo.filter(isFolder)),
    elsewhere: maySendTo.filter((place) => !isFolder(place)),
    ours: await real([
      stateDirectory,
      cacheDir,
      `${own.log.directory}/${own.log.file}`,
      // Of a folder with other things in it, only the file is ours.
      /[\\/]image-transfer$/.test(folder ?? "") ? folder : file,
      await system.runtimeFolder?.() ?? null,
      system.platform === "linux" ? MEMORY : null,
    ]),
  };
}

/** How the folders of links and batch files begin (`daemon/state_directory.ts`). */
const MEMORY = "/dev/shm/image-transfer-";

async function judge(job: Job, rules: Rules, system: LookSystem): Promise<Omit<HeldJob, "name">> {
  const refuse = (refused: string) => ({ refused, watch: [], sendTo: [] });
  const folder = await realPath(job.watchPath, system);
  const unfit = job.watchPath === ""
    ? null
    : unfitFolder(folder, rules, system) ?? (isHidden(job.nightFolder ?? "") ? HIDDEN : null);
  if (unfit !== null) return refuse(`watch_path ${job.watchPath} ${unfit}`);
  const sendTo: string[] = [];
  for (const destination of job.destinations) {
    const { basePath, layout, transport, fileMode } = destination;
    // A connection string names a program that rclone starts.
    if (transport.method === "rclone" && !/^[\p{L}\p{N}_.+@ -]*$/u.test(serverOf(transport) ?? "")) {
      return refuse(`"${serverOf(transport)}" is not the name of a remote`);
    }
    if (((fileMode ?? 0) & SET_ID) !== 0) return refuse("file_mode lets others run files as this account");
    if (makesHidden(layout)) return refuse(`layout ${layout} makes hidden files or folders`);
    const isHere = isOnThisComputer(destination);
    const wrong = isHere ? await unfitTarget(destination, job, rules, system) : isHidden(basePath) ? HIDDEN : null;
    if (wrong !== null) return refuse(`remote_base_path ${basePath} ${wrong}`);
    const base = isHere ? await realPath(basePath, system) : null;
    const isListed = base === null
      ? rules.elsewhere.some((place) => covers(place, destination))
      : rules.sendTo.some((allowed) => isWithin(base, allowed, system.platform));
    const place = placeOf(destination);
    if (!isListed && place !== "") sendTo.push(place);
  }
  const isWatched = folder === null || job.watchPath === "" || isIn(folder, rules.watch, system);
  if (isWatched && folder !== null && job.watchPath !== "") {
    const top = await topWithin(job.watchPath, rules.watch, system);
    const plain = `${await realPath(top, system)}/${job.watchPath.slice(top.length)}`.replaceAll(/[\\/]+/g, "/");
    if (!isWithin(folder.replaceAll("\\", "/"), plain, system.platform)) {
      return refuse(`watch_path ${job.watchPath} leads through a link in a folder of may_watch; write ${folder} instead`);
    }
  }
  return { refused: null, watch: isWatched ? [] : [job.watchPath], sendTo };
}

function isIn(real: string, allowed: readonly string[], { platform }: LookSystem): boolean {
  return allowed.some((one) => isWithin(real, one, platform));
}

/** The uppermost folder of a path that is still in one that is allowed. */
async function topWithin(path: string, allowed: readonly string[], system: LookSystem): Promise<string> {
  for (let top = path;;) {
    const above = parentOf(top, system);
    const real = above === top ? null : await realPath(above, system);
    if (real === null || !isIn(real, allowed, system)) return top;
    top = above;
  }
}

const HIDDEN = "is in a hidden folder";
/** The bits of a mode with which a program runs as its owner or group. */
const SET_ID = 0o6000;

/** Why no job of a server may read or write in a folder here; `real` is null where its links lead nowhere. */
function unfitFolder(real: string | null, { ours }: Rules, { platform }: LookSystem): string | null {
  if (real === null) return "cannot be followed to its end: check its links and permissions";
  if (isHidden(real)) return HIDDEN;
  const plain = real.replace(/^(\/dev\/shm\/image-transfer-)[^/]*/, "$1");
  const isOurs = ours.some((own) => isWithin(plain, own, platform) || isWithin(own, plain, platform));
  return isOurs ? "is, contains or lies in a folder of image-transfer's own" : null;
}

/** As for the base folder, so for what the layout names below it; links that are there must not lead out of it. */
async function unfitTarget(
  { basePath, layout }: Destination,
  job: Job,
  rules: Rules,
  system: LookSystem,
): Promise<string | null> {
  if (basePath === "") return null;
  const base = await realPath(basePath, system);
  const unfit = unfitFolder(base, rules, system);
  if (base === null || unfit !== null) return unfit;
  const parts = layout.replaceAll("{job}", job.name).split(/[\\/]/).slice(0, -1);
  const open = parts.findIndex((part) => /[{}]|NIGHT/.test(part));
  const below = await realPath([basePath, ...open < 0 ? parts : parts.slice(0, open)].join("/"), system);
  if (below === null || !isWithin(below, base, system.platform)) return "is left by a link that the layout names";
  return unfitFolder(below, rules, system);
}

/** `{ext}` begins with a dot, and `{folder}` and a header card with an empty default may be empty. */
function makesHidden(layout: string): boolean {
  const mayBeEmpty = String.raw`\{(?:folder|header\.[^{}|]*\|)\}`;
  return layout.split(/[\\/]/).some((part) => part !== "." && new RegExp(`^(?:${mayBeEmpty})*(?:\\{ext\\}|\\.)`, "i").test(part));
}

/** Whether `host`, `user@host:/folder` or `remote:bucket` allows a destination. */
function covers(place: string, { transport, basePath }: Destination): boolean {
  const folded = (text: string) => transport.method === "rclone" ? text : text.toLowerCase();
  const server = serverOf(transport) ?? "";
  const user = loginOf(transport)?.user ?? null;
  return server !== "" && [bracketed(server), ...user === null ? [] : [`${user}@${bracketed(server)}`]].some((head) => {
    if (folded(place.slice(0, head.length)) !== folded(head)) return false;
    const [colon, folder] = [place.slice(head.length, head.length + 1), remoteFolder(place.slice(head.length + 1))];
    if (colon === "") return true;
    return colon === ":" && (folder === "." ? !/^\/|^[a-z]:/i.test(basePath) : isWithin(basePath, folder, "linux"));
  });
}

/** A destination as `may_send_to` has it; empty while the host is not known. */
function placeOf(destination: Destination): string {
  const { transport, basePath } = destination;
  if (isOnThisComputer(destination)) return basePath;
  const server = serverOf(transport) ?? "";
  const user = loginOf(transport)?.user ?? null;
  return server === "" ? "" : `${user === null ? "" : `${user}@`}${bracketed(server)}:${basePath}`;
}

/** The path with its links followed, as far as it exists; null where they cannot be. */
async function realPath(path: string, system: LookSystem): Promise<string | null> {
  if (system.realPath === undefined) return path;
  for (let end = path;;) {
    try {
      const real = await system.realPath(end);
      const rest = path.slice(end.length).replace(/^[\\/]+/, "");
      if (real !== null && rest === "") return real;
      // What comes later under such a name on Windows has another one, too.
      if (real !== null) {
        return system.platform === "windows" && /~\d|[. ](?=[\\/]|$)|:/.test(rest)
          ? null
          : `${real.replace(/[\\/]+$/, "")}/${rest}`;
      }
      // A link to something that may come later.
      if (await system.facts?.(end) != null) return null;
    } catch {
      return null;
    }
    const parent = parentOf(end, system);
    if (parent === end) return path;
    end = parent;
  }
}

function parentOf(path: string, { platform }: Pick<Surroundings, "platform">): string {
  return platform === "windows" ? windowsDirname(path) : posixDirname(path);
}

/** What a person is told of jobs that are held, a sentence each without a full stop. */
export function heldReasons(held: readonly HeldJob[]): string[] {
  const waiting = held.filter(({ refused }) => refused === null).map(({ name }) => name);
  return [
    ...held.flatMap(({ name, refused }) => refused === null ? [] : [`the server's job ${name} is refused: ${refused}`]),
    ...waiting.length === 0 ? [] : [`jobs of the server wait until this computer's file allows them: ${waiting.join(", ")}`],
  ];
}

/**
 * The lines for the `pocketbase` section that allow the jobs that wait, with what it allows already; empty where none waits. They can be
 * pasted as they are.
 */
export function permissionLines(held: readonly HeldJob[], own: PocketbaseSettings, kind: ConfigKind): string[] {
  const waiting = held.filter(({ refused }) => refused === null);
  if (waiting.length === 0) return [];
  const line = (key: string, known: readonly string[], more: readonly string[]) => {
    const all = [...new Set([...known, ...more])];
    if (all.length === known.length) return [];
    const list = `[${all.map((one) => JSON.stringify(one)).join(", ")}]`;
    return [kind === "toml" ? `${key} = ${list}` : `  ${key}: ${list}`];
  };
  return [
    ...line("may_set", own.maySet, ["jobs"]),
    ...line("may_watch", own.mayWatch, waiting.flatMap(({ watch }) => watch)),
    ...line("may_send_to", own.maySendTo, waiting.flatMap(({ sendTo }) => sendTo)),
  ];
}
