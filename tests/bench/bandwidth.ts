/**
 * How well a limit is kept: a night of large files by each method, then two jobs with one destination, and two destinations of one job
 * under the limit of the line. What counts is what lands: on average, and at most in any two seconds, as a share of the limit.
 *
 * @module
 */
import { join } from "@std/path";
import { bytesIn, loginTo } from "../faults/rig.ts";
import { install } from "../support/daemon_process.ts";
import { startFtpd } from "../support/ftpd.ts";
import { has } from "../support/needs.ts";
import { rcloneConfig, startWebdav } from "../support/rclone_servers.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import type { Say, Scenario } from "./bench.ts";
import { fitsTree, settleDisks, visible } from "./measure.ts";

const LIMIT = 10_000_000;
const [COUNT, BYTES] = [3, 70_000_000];
/** Of the limit, on average and at most. */
const [LEAST, MOST] = [0.85, 1.05];
const SPACE = { minimum_free_space_gb: 0, copy_safety_margin_gb: 0, log_level: "INFO" };

type Keys = Readonly<Record<string, unknown>>;

/** What is written in the configuration, and where files arrive. */
interface Case {
  readonly name: string;
  readonly config: Keys;
  /** Pairs of a watched folder and where its files arrive. */
  readonly ways: readonly (readonly [string, string])[];
  /** The methods whose rate is fixed when they start wait for each other. */
  readonly least: number;
}

export const bandwidth: Scenario = async (say, { without }) => {
  if (!has("sshd", "rsync", "rclone", "vsftpd")) return say({ what: "needs sshd, rsync, rclone and vsftpd", value: "left out" });
  await using shared = await tempFolder();
  await using server = await startSshd();
  await fitsTree(shared.at("source"), COUNT, BYTES);
  for (const method of ["local", "tar", "sftp", "rsync", "scp", "ftp", "rclone"]) {
    if (without.has(method)) continue;
    await using folder = await tempFolder();
    await using place = await placeOf(method, folder, server);
    const config = { ...place.keys, watch_path: folder.at("watched"), bandwidth_limit: LIMIT };
    await measure(
      { name: method, config, ways: [[folder.at("watched"), place.there]], least: LEAST },
      shared,
      folder,
      server,
      say,
    );
  }
  for (const method of ["tar", "sftp", "rsync", "scp"]) {
    if (without.has(method)) continue;
    await using folder = await tempFolder();
    for (const arranged of [twoJobs(method, folder, server), twoDestinations(method, folder, server)]) {
      await measure(arranged, shared, folder, server, say);
    }
  }
};

function twoJobs(method: string, folder: TempFolder, server: Sshd): Case {
  const there = folder.at("one");
  const jobs = ["a", "b"].map((name) => ({
    ...{ name, watch_path: folder.at(name), transfer_method: method, remote_host: server.host, bandwidth_limit: LIMIT },
    ...{ remote_base_path: there, layout: `${name}/{path}` },
  }));
  const ways = ["a", "b"].map((name) => [folder.at(name), join(there, name)] as const);
  return { name: `${method}, two jobs with one destination`, config: { jobs }, ways, least: LEAST };
}

function twoDestinations(method: string, folder: TempFolder, server: Sshd): Case {
  const destinations = ["x", "y"].map((name) => ({
    ...{ name, transfer_method: method, remote_host: server.host, remote_base_path: folder.at(name) },
  }));
  const config = { watch_path: folder.at("c"), destinations, bandwidth_limit: LIMIT };
  const ways = ["x", "y"].map((name) => [folder.at("c"), folder.at(name)] as const);
  return { name: `${method}, two destinations of one job`, config, ways, least: LEAST };
}

async function placeOf(method: string, folder: TempFolder, server: Sshd) {
  const stack = new AsyncDisposableStack();
  const there = folder.at("there");
  const keys = async (): Promise<Keys> => {
    if (method === "local") return { remote_host: "localhost" };
    if (method === "ftp") return await loginTo(stack.use(await startFtpd({ config: ["log_ftp_protocol=NO"] })), folder);
    if (method !== "rclone") return { remote_host: server.host };
    const dav = stack.use(await startWebdav(there));
    return { rclone_config: await rcloneConfig(folder, dav.section()), remote: "dav" };
  };
  const base = { transfer_method: method, remote_base_path: method === "rclone" ? "/" : there };
  return { there, keys: { ...base, ...await keys() }, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function measure({ name, config, ways, least }: Case, shared: TempFolder, folder: TempFolder, server: Sshd, say: Say) {
  const places = [...new Set(ways.map(([, there]) => there))];
  for (const path of [...ways.flat()]) await Deno.mkdir(path, { recursive: true });
  const room = folder.at(`room-${crypto.randomUUID()}`);
  await Deno.mkdir(room);
  const installation = await install(room, { ...SPACE, ...config }, server.env);
  await using running = await installation.start();
  for (const watched of new Set(ways.map(([watched]) => watched))) {
    await new Deno.Command("cp", { args: ["-r", shared.at("source"), `${watched}-next`] }).output();
  }
  await settleDisks();
  using watching = landing(folder.path, places);
  for (const watched of new Set(ways.map(([watched]) => watched))) await Deno.rename(`${watched}-next`, join(watched, "night"));
  for (const [, there] of ways) await visible(shared.at("source"), join(there, "night"), 300);
  const { average, most } = watching.rates();
  await running.stop();
  const kept = average >= least && most <= MOST && average <= MOST;
  say({
    what: `${ways.length * COUNT} × ${BYTES / 1e6} MB at ${LIMIT / 1e6} MB/s: ${name}`,
    value: average.toFixed(2),
    beside: `  in any two seconds at most ${most.toFixed(2)}`,
    limit: `${least} to ${MOST}`,
    kept,
  });
}

/** Looks how much has landed, as shares of the limit. */
function landing(root: string, places: readonly string[]) {
  const seen: { readonly at: number; readonly bytes: number }[] = [];
  const roots = [...new Set(places.map((place) => place.slice(root.length + 1).split("/")[0]!))].map((top) => join(root, top));
  const timer = setInterval(() => {
    const bytes = roots.reduce((sum, path) => sum + bytesIn(path), 0);
    seen.push({ at: performance.now(), bytes });
  }, 50);
  return {
    rates() {
      const [first, last] = [
        seen.findLast(({ bytes }) => bytes === seen[0]!.bytes)!,
        seen.find(({ bytes }) => bytes === Math.max(...seen.map(({ bytes }) => bytes)))!,
      ];
      const share = (from: typeof first, to: typeof first) => (to.bytes - from.bytes) / (to.at - from.at) * 1000 / LIMIT;
      const most = Math.max(...seen.flatMap((from) => {
        const to = seen.find(({ at }) => at >= from.at + 2000);
        return to ? share(from, to) : [];
      }));
      return { average: share(first, last), most };
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
