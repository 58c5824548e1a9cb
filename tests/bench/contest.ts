/**
 * A contest over one private sshd: the same files carried by rsync, scp and lsyncd by hand, and by a running daemon with
 * default settings, turn by turn. The clock of the daemon and of lsyncd starts when the folder of files is moved into the
 * watched one, and ends when the last file is visible under its final name, which it is only once it is verified and flushed.
 */
import { join } from "@std/path";
import type { Say } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { which } from "../support/needs.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { startProxy, type TcpProxy } from "../support/tcp_proxy.ts";
import { tempFolder } from "../support/temp.ts";
import { byHand, type Cost, cost, drop, fitsTree, median, ratios, secs, settleDisks, times, TooSlow, warmUp } from "./measure.ts";

/** What is carried. */
export interface Load {
  /** For `--without`. */
  readonly key: string;
  readonly name: string;
  readonly count: number;
  /** Size of each file. */
  readonly bytes: number;
}

interface ContestOptions {
  /** Contestants to leave out. */
  readonly without: ReadonlySet<string>;
  readonly rounds: number;
  /** Of the line between the two ends; absent is loopback. */
  readonly roundTripMs?: number;
  /** A contestant that takes longer in one round is not asked again. */
  readonly patienceSeconds: number;
}

/** The methods of ours that take part; `auto` is the default setting. */
const METHODS = ["auto", "tar", "rsync", "sftp", "scp"];

/** The two ends, and the line between them. */
interface Site {
  readonly source: string;
  readonly server: Sshd;
  readonly port: number;
  /** For `rsync -e` and `scp`. */
  readonly sshArguments: readonly string[];
  /** `user@host`. */
  readonly account: string;
  /** A daemon has delivered as many before. */
  readonly warmFiles: number;
  readonly patienceSeconds: number;
}

/** Carries the load with every contestant in turn, `rounds` times, and says what each took, beside what a bare `rsync -a` took. */
export async function contest(
  load: Load,
  { without, rounds, roundTripMs, patienceSeconds }: ContestOptions,
  say: Say,
): Promise<void> {
  await using folder = await tempFolder();
  await using server = await startSshd();
  await using proxy: TcpProxy | null = roundTripMs === undefined ? null : startProxy(server.port, { roundTripMs });
  const port = proxy?.port ?? server.port;
  const source = folder.at("source");
  await fitsTree(source, load.count, load.bytes);
  const sshArguments = ["-F", server.sshConfig, "-o", `Port=${port}`];
  const site: Site = {
    source,
    server,
    port,
    sshArguments,
    account: `${server.user}@127.0.0.1`,
    warmFiles: proxy ? 20 : 500,
    patienceSeconds,
  };
  const contestants: Record<string, Contestant> = {
    bare: { name: "rsync -a", run: bareRsync },
    hand: { name: "rsync -a, then sha256sum and sync by ssh", run: rsyncHashedAndFlushed },
    scp: { name: "scp -r", run: scpTree },
    ...(which("lsyncd") ? { lsyncd: { name: "lsyncd, delay 1 s", run: lsyncd } } : {}),
    ...Object.fromEntries(METHODS.map((method) => [method === "scp" ? "our-scp" : `our-${method}`, {
      name: `image-transfer, ${method}`,
      run: (ends: Site, there: string, room: string) => daemon(ends, there, room, method),
    }])),
  };
  const taken = new Map<string, Cost[]>();
  const givenUp = new Set(without);
  for (let round = 0; round < rounds; round++) {
    for (const [key, { name, run }] of Object.entries(contestants)) {
      if (givenUp.has(key)) continue;
      await using room = await tempFolder();
      await Deno.mkdir(room.at("there"));
      await settleDisks();
      try {
        taken.set(key, [...taken.get(key) ?? [], await run(site, room.at("there"), room.path)]);
      } catch (error) {
        if (!(error instanceof TooSlow)) throw error;
        givenUp.add(key);
        taken.delete(key);
        say({ what: `${load.name}: ${name}`, value: `> ${patienceSeconds} s` });
      }
    }
  }
  const bare = taken.get("bare");
  for (const [key, costs] of taken) {
    const [wall, cpu] = bare === undefined ? [NaN, NaN] : ratios(costs, bare);
    const beside = bare === undefined || key === "bare" ? "" : `  ${times(wall)} rsync -a, processor ${times(cpu)}`;
    say({
      what: `${load.name}: ${contestants[key]!.name}`,
      value: secs(median(costs.map(({ wall }) => wall))),
      cost: costs,
      beside,
    });
  }
}

interface Contestant {
  readonly name: string;
  /** Carries the source to `there`; `room` is an empty folder beside it. */
  readonly run: (site: Site, there: string, room: string) => Promise<Cost>;
}

function bareRsync({ source, sshArguments, account }: Site, there: string): Promise<Cost> {
  return cost(() => byHand("rsync", ["-a", "-e", ["ssh", ...sshArguments].join(" "), `${source}/`, `${account}:${there}/`]));
}

function rsyncHashedAndFlushed({ source, sshArguments, account }: Site, there: string): Promise<Cost> {
  const hashAndFlush = `cd ${there} && find . -type f -print0 | xargs -0 sha256sum && sync -f .`;
  return cost(async () => {
    await byHand("rsync", ["-a", "-e", ["ssh", ...sshArguments].join(" "), `${source}/`, `${account}:${there}/`]);
    await byHand("ssh", [...sshArguments, account, hashAndFlush]);
  });
}

function scpTree({ source, sshArguments, account }: Site, there: string): Promise<Cost> {
  return cost(() => byHand("scp", ["-q", "-r", "-p", ...sshArguments, source, `${account}:${there}/`]));
}

/** lsyncd waits `delay` seconds by its nature; 1 is its least. */
async function lsyncd({ source, sshArguments, account, patienceSeconds }: Site, there: string, room: string): Promise<Cost> {
  const [watched, config] = [join(room, "watched"), join(room, "lsyncd.lua")];
  await Deno.mkdir(watched);
  const rsync = `{archive=true, rsh="${["ssh", ...sshArguments].join(" ")}"}`;
  await Deno.writeTextFile(
    config,
    `settings{nodaemon=true}\nsync{default.rsync, source="${watched}", target="${account}:${there}/", delay=1, rsync=${rsync}}\n`,
  );
  const child = new Deno.Command("lsyncd", { args: [config], stdin: "null", stdout: "null", stderr: "null" }).spawn();
  try {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return await drop(source, watched, there, patienceSeconds);
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}

/** A running daemon that has delivered files before. */
async function daemon(
  { source, server, port, warmFiles, patienceSeconds }: Site,
  there: string,
  room: string,
  method: string,
): Promise<Cost> {
  const watched = join(room, "watched");
  await Deno.mkdir(watched);
  const installation = await install(room, {
    watch_path: watched,
    transfer_method: method,
    remote_host: "127.0.0.1",
    remote_port: port,
    remote_user: server.user,
    remote_base_path: there,
    log_level: "INFO",
  }, server.env);
  await using running = await installation.start();
  await warmUp(watched, there, warmFiles);
  const taken = await drop(source, watched, there, patienceSeconds);
  await running.stop();
  return taken;
}
