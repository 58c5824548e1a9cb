/**
 * The place of a chaos night: three jobs and four destinations (a small disk, rsync and scp through proxies, sftp), one
 * configuration that can be changed, and a witness at each destination.
 */
import { type Camera, camera } from "./chaos_camera.ts";
import { type DaemonKeeper, daemonKeeper } from "./chaos_daemon.ts";
import { install, type Installation } from "./daemon_process.ts";
import { has } from "./needs.ts";
import { observe, type Observer } from "./observer.ts";
import type { Dice } from "./seeded.ts";
import { mountSmallDisk, type SmallDisk } from "./small_disk.ts";
import { type Sshd, startSshd } from "./sshd.ts";
import { startProxy, type TcpProxy } from "./tcp_proxy.ts";
import { type TempFolder, tempFolder } from "./temp.ts";

export const DESTINATIONS = ["disk", "rsync", "scp", "sftp"] as const;
type DestinationName = (typeof DESTINATIONS)[number];

/** A proxy whose rate can change; 0 is no limit. */
interface Link {
  readonly proxy: TcpProxy;
  readonly shape: { rate: number };
}

export interface Site extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly cameras: readonly Camera[];
  /** Which destinations a job has. */
  readonly routes: ReadonlyMap<string, readonly DestinationName[]>;
  readonly installation: Installation;
  readonly daemon: DaemonKeeper;
  readonly server: Sshd;
  readonly links: readonly Link[];
  /** The small file system behind the destination `disk`, and where it is mounted; null without root. */
  readonly disk: { readonly small: SmallDisk; readonly mount: string } | null;
  readonly observers: readonly Observer[];
  /** The base path of a job at a destination. */
  base(job: string, destination: DestinationName): string;
  /** All base paths. */
  readonly bases: readonly string[];
  /** What happens at the destinations of a job to a name that is taken. */
  policy(job: string): "version" | "overwrite";
  /** Writes the configuration with these keys changed; without `all` some jobs may lack some of their destinations. */
  configure(changes: Readonly<Record<string, unknown>>, without?: DestinationName | null): void;
}

/** Drops root's right to go past modes, so that modes count. */
const THROUGH = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"];
export const SMALL_MEGABYTES = 100;

/** Sets everything up; the daemon is not started yet. */
export async function chaosSite(dice: Dice): Promise<Site> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const through = has("root") ? THROUGH : [];
  const server = stack.use(await startSshd({ through }));
  const links = [0, 1].map(() => {
    const shape = { rate: 0 };
    return { shape, proxy: stack.use(startProxy(server.port, shape)) };
  });
  const disk = has("root") ? await smallDisk(folder, stack) : null;
  const roots: Readonly<Record<DestinationName, string>> = {
    disk: disk ? `${disk.mount}/there` : folder.at("disk"),
    rsync: folder.at("rsync"),
    scp: folder.at("scp"),
    sftp: folder.at("sftp"),
  };
  for (const root of Object.values(roots)) await Deno.mkdir(root);
  const observers = DESTINATIONS.map((name) => observe(roots[name]));
  stack.defer(async () => void await Promise.all(observers.map((observer) => observer.stop())));

  const routes = new Map<string, readonly DestinationName[]>([
    ["spring", DESTINATIONS],
    ["summer", dice.some(DESTINATIONS, 2)],
    ["moving", dice.some(DESTINATIONS, 2)],
  ]);
  const cameras = [...routes.keys()].map((job) => {
    const allow = (name: string, hash: string) => observers.forEach((observer) => observer.allow(`${job}/${name}`, hash));
    return camera(job, folder.at(`camera-${job}`), allow);
  });
  const base = (job: string, destination: DestinationName) => `${roots[destination]}/${job}`;
  for (const [job, names] of routes) for (const name of names) await Deno.mkdir(base(job, name));

  const remote = (link: number) => ({ remote_host: "127.0.0.1", remote_user: server.user, remote_port: links[link]!.proxy.port });
  const address: Readonly<Record<DestinationName, Readonly<Record<string, unknown>>>> = {
    disk: { transfer_method: "local" },
    rsync: { transfer_method: "rsync", ...remote(0) },
    scp: { transfer_method: "scp", ...remote(1) },
    sftp: { transfer_method: "sftp", remote_host: server.host },
  };
  const perJob = new Map([...routes.keys()].map((job) => [job, {
    on_conflict: dice.chance(0.7) ? "version" as const : "overwrite" as const,
    order: dice.pick(["oldest_first", "newest_first"]),
    watch_mode: dice.chance(0.2) ? "poll" : "auto",
    delete_source: job === "moving",
  }]));
  const settings = (changes: Readonly<Record<string, unknown>>, without: DestinationName | null = null) => ({
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    retry_delay: 0.5,
    debounce_ms: 200,
    min_file_age_seconds: 0.4,
    transfer_timeout_seconds: 4,
    shutdown_timeout_seconds: 4,
    rescan_interval: 8,
    incomplete_after: 20,
    log_max_bytes: 2_000_000_000,
    file_patterns: ["*.fits", "*.fits.gz", "*.raw"],
    ...changes,
    jobs: cameras.map(({ job, root }) => ({
      name: job,
      watch_path: root,
      ...perJob.get(job),
      destinations: routes.get(job)!.filter((name) => name !== without || job === "moving").map((name) => ({
        name,
        ...address[name],
        remote_base_path: base(job, name),
      })),
    })),
  });
  const installation = await install(folder.path, settings({}), server.env);
  const programKeys = JSON.parse(await Deno.readTextFile(installation.configFile));
  const daemon = stack.use(daemonKeeper(installation, through));
  const owned = stack.move();

  return {
    folder,
    cameras,
    routes,
    installation,
    daemon,
    server,
    links,
    disk,
    observers,
    base,
    bases: [...routes].flatMap(([job, names]) => names.map((name) => base(job, name))),
    policy: (job) => perJob.get(job)!.on_conflict,
    configure(changes, without) {
      replace(installation.configFile, JSON.stringify({ ...programKeys, ...settings(changes, without) }, null, 2));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** At once, so that no start finds half of it. */
function replace(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.next`, text);
  Deno.renameSync(`${path}.next`, path);
}

async function smallDisk(folder: TempFolder, stack: AsyncDisposableStack): Promise<{ small: SmallDisk; mount: string }> {
  const small = stack.use(await mountSmallDisk(folder.at("small"), SMALL_MEGABYTES));
  const mount = folder.at("mount");
  await Deno.mkdir(mount);
  await bind(small.path, mount);
  stack.defer(() => unmount(mount));
  return { small, mount };
}

/** Mounts a folder once more at another place. */
export async function bind(from: string, to: string): Promise<void> {
  await new Deno.Command("mount", { args: ["--bind", from, to] }).output();
}

/** Takes a mount away, whoever uses it. */
export async function unmount(path: string): Promise<void> {
  await new Deno.Command("umount", { args: ["-l", path], stderr: "null" }).output();
}
