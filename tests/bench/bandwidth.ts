/**
 * How well a limit is kept: a night of large files by each method, then two jobs with one destination, and two destinations of one job
 * under the limit of the line. What counts is what goes over the
 * line, or lands where there is none: on average, and at most in any two seconds, as a share of the limit.
 */
import { join } from "@std/path";
import { bytesIn, loginTo } from "../faults/rig.ts";
import { install } from "../support/daemon_process.ts";
import { startFtpd } from "../support/ftpd.ts";
import { has } from "../support/needs.ts";
import { rcloneConfig, startWebdav } from "../support/rclone_servers.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { startProxy } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import type { Say, Scenario } from "./bench.ts";
import { byHand, fitsTree, settleDisks, visible } from "./measure.ts";

const LIMIT = 10_000_000;
const [COUNT, BYTES] = [3, 70_000_000];
/** Of the limit, on average and at most. */
const [LEAST, MOST] = [0.85, 1.05];
const SPACE = { minimum_free_space_gb: 0, copy_safety_margin_gb: 0, log_level: "INFO" };

/** The start and the end of a connection are no payload. */
const GREETING = 100_000;

type Keys = Readonly<Record<string, unknown>>;

/** What is written in the configuration, and where files arrive. */
interface Case {
  readonly name: string;
  readonly config: Keys;
  /** Pairs of a watched folder and where its files arrive. */
  readonly ways: readonly (readonly [string, string])[];
  /** How much was sent so far. */
  readonly sent: () => number;
}

/** An ssh server, and how much went there. */
interface Line {
  readonly server: Sshd;
  readonly keys: Keys;
  readonly sent: () => number;
}

export const bandwidth: Scenario = async (say, { without }) => {
  if (!has("sshd", "rsync", "rclone", "vsftpd")) return say({ what: "needs sshd, rsync, rclone and vsftpd", value: "left out" });
  await using shared = await tempFolder();
  await using server = await startSshd();
  await using proxy = startProxy(server.port);
  const keys = { remote_host: "127.0.0.1", remote_port: proxy.port, remote_user: server.user };
  const line: Line = { server, keys, sent: () => proxy.counters.up };
  const source = shared.at("source");
  await fitsTree(source, COUNT, BYTES);
  for (const method of ["local", "tar", "sftp", "rsync", "scp", "ftp", "rclone"]) {
    if (without.has(method)) continue;
    await using folder = await tempFolder();
    await using place = await placeOf(method, folder, line);
    await measure(place.arranged, source, folder, server, say);
  }
  for (const method of ["tar", "sftp", "rsync", "scp"]) {
    if (without.has(method)) continue;
    await using folder = await tempFolder();
    for (const arranged of [twoJobs(method, folder, line), twoDestinations(method, folder, line)]) {
      await measure(arranged, source, folder, server, say);
    }
  }
};

function twoJobs(method: string, folder: TempFolder, { keys, sent }: Line): Case {
  const there = folder.at("one");
  const jobs = ["a", "b"].map((name) => ({
    ...{ name, watch_path: folder.at(name), transfer_method: method, ...keys, bandwidth_limit: LIMIT },
    ...{ remote_base_path: there, layout: `${name}/{path}` },
  }));
  const ways = ["a", "b"].map((name) => [folder.at(name), join(there, name)] as const);
  return { name: `${method}, two jobs with one destination`, config: { jobs }, ways, sent };
}

function twoDestinations(method: string, folder: TempFolder, { keys, sent }: Line): Case {
  const destinations = ["x", "y"].map((name) => ({ name, transfer_method: method, ...keys, remote_base_path: folder.at(name) }));
  const config = { watch_path: folder.at("c"), destinations, bandwidth_limit: LIMIT };
  const ways = ["x", "y"].map((name) => [folder.at("c"), folder.at(name)] as const);
  return { name: `${method}, two destinations of one job`, config, ways, sent };
}

async function placeOf(method: string, folder: TempFolder, line: Line) {
  const stack = new AsyncDisposableStack();
  const [watched, there] = [folder.at("watched"), folder.at("there")];
  const keys = async (): Promise<Keys> => {
    if (method === "local") return { remote_host: "localhost" };
    if (method === "ftp") return await loginTo(stack.use(await startFtpd({ config: ["log_ftp_protocol=NO"] })), folder);
    if (method !== "rclone") return line.keys;
    const dav = stack.use(await startWebdav(there));
    return { rclone_config: await rcloneConfig(folder, dav.section()), remote: "dav" };
  };
  const base = { watch_path: watched, bandwidth_limit: LIMIT, transfer_method: method };
  const config = { ...base, remote_base_path: method === "rclone" ? "/" : there, ...await keys() };
  const sent = ["local", "ftp", "rclone"].includes(method) ? () => bytesIn(there) : line.sent;
  const arranged: Case = { name: method, config, ways: [[watched, there]], sent };
  return { arranged, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function measure({ name, config, ways, sent }: Case, source: string, folder: TempFolder, server: Sshd, say: Say) {
  for (const path of ways.flat()) await Deno.mkdir(path, { recursive: true });
  const room = folder.at(`room-${crypto.randomUUID()}`);
  await Deno.mkdir(room);
  const installation = await install(room, { ...SPACE, ...config }, server.env);
  await using running = await installation.start();
  const watched = [...new Set(ways.map(([watched]) => watched))];
  for (const each of watched) await byHand("cp", ["-r", source, `${each}-next`]);
  await settleDisks();
  using watching = rates(sent);
  for (const each of watched) await Deno.rename(`${each}-next`, join(each, "night"));
  for (const [, there] of ways) await visible(source, join(there, "night"), 300);
  const { average, most } = watching.found();
  await running.stop();
  // Programs whose rate is set when they start wait for each other.
  const least = ways.length > 1 && /^(rsync|scp)/.test(name) ? 0 : LEAST;
  say({
    what: `${ways.length * COUNT} × ${BYTES / 1e6} MB at ${LIMIT / 1e6} MB/s: ${name}`,
    value: average.toFixed(2),
    beside: `  in any two seconds at most ${most.toFixed(2)}`,
    limit: `${least} to ${MOST}`,
    kept: average >= least && average <= MOST && most <= MOST,
  });
}

/** Looks how much was sent, as shares of the limit. */
function rates(sent: () => number) {
  const seen = [{ bytes: sent(), at: performance.now() }];
  const timer = setInterval(() => seen.push({ bytes: sent(), at: performance.now() }), 50);
  return {
    found() {
      const least = seen[0]!.bytes + GREETING;
      const most = seen.at(-1)!.bytes - GREETING;
      const [first, last] = [seen.find(({ bytes }) => bytes >= least)!, seen.find(({ bytes }) => bytes >= most)!];
      const share = (from: typeof first, to: typeof first) => (to.bytes - from.bytes) / (to.at - from.at) * 1000 / LIMIT;
      const shares = seen.flatMap((from) => {
        const to = seen.find(({ at }) => at >= from.at + 2000);
        return to ? share(from, to) : [];
      });
      return { average: share(first, last), most: Math.max(...shares) };
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
