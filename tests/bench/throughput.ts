/**
 * Many small and a few large files, from "they are there" to "all proven, durable and visible": the running daemon
 * against rsync and one ssh that hashes and syncs (the same work by hand), bare rsync, scp and lsyncd.
 *
 * @module
 */
import { join } from "@std/path";
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { has, which } from "../support/needs.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import { byHand, type Cost, cost, median, randomFiles, ratios, secs, settleDisks, times, visible, warmUp } from "./measure.ts";

const LOADS = [
  { key: "small", name: "2,000 × 100 kB", count: 2000, bytes: 100_000 },
  { key: "large", name: "4 × 200 MB", count: 4, bytes: 200_000_000 },
];

interface Ground {
  readonly source: string;
  /** A fresh place for a contestant to deliver to. */
  readonly fresh: () => Promise<string>;
  readonly server: Sshd;
  readonly ssh: string;
}

export const throughput: Scenario = async (say, { without, rounds }) => {
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  for (const load of LOADS.filter(({ key }) => !without.has(key))) {
    await using folder = await tempFolder();
    await using server = await startSshd();
    let number = 0;
    const source = folder.at("source");
    await randomFiles(source, load.count, load.bytes);
    const fresh = async () => {
      const path = folder.at(`there-${number++}`);
      await Deno.mkdir(path);
      return path;
    };
    const ground: Ground = { source, fresh, server, ssh: `ssh -F ${server.sshConfig}` };
    const results = new Map<string, Cost[]>();
    const contestants: Record<string, { readonly name: string; readonly run: () => Promise<Cost> }> = {
      hand: { name: "rsync -a, then hash and sync by ssh (the same by hand)", run: () => theSameByHand(ground) },
      bare: { name: "rsync -a alone", run: () => bareRsync(ground) },
      scp: { name: "scp -r", run: () => scpTree(ground) },
      ...(which("lsyncd") ? { lsyncd: { name: "lsyncd", run: () => lsyncd(ground, load.count) } } : {}),
      rsync: { name: "image-transfer, rsync", run: () => ours(folder.at(`ours-${number++}`), ground, load, "rsync") },
      first: {
        name: "image-transfer, rsync, its first files after its start",
        run: () => ours(folder.at(`ours-${number++}`), ground, load, "rsync", false),
      },
      sftp: { name: "image-transfer, sftp", run: () => ours(folder.at(`ours-${number++}`), ground, load, "sftp") },
    };
    for (let round = 0; round < rounds; round++) {
      for (const [key, { run }] of Object.entries(contestants)) {
        if (without.has(key)) continue;
        await settleDisks();
        results.set(key, [...results.get(key) ?? [], await run()]);
      }
    }
    for (const [key, taken] of results) {
      say({ what: `${load.name}: ${contestants[key]?.name}`, value: secs(median(taken.map(({ wall }) => wall))), cost: taken });
    }
    const [our, hand, bare] = ["rsync", "hand", "bare"].map((key) => results.get(key));
    if (our && hand) {
      const [wall, cpu] = ratios(our, hand);
      const what = `${load.name}: ours / the same by hand`;
      say({ what, value: times(wall), limit: "1.15 ×", kept: wall <= 1.15 });
      say({ what: `${what}, processor time`, value: times(cpu) });
    }
    if (our && bare) say({ what: `${load.name}: ours / bare rsync -a`, value: times(ratios(our, bare)[0]) });
  }
};

async function theSameByHand({ source, fresh, server, ssh }: Ground): Promise<Cost> {
  const there = await fresh();
  return await cost(async () => {
    await byHand("rsync", ["-a", "-e", ssh, `${source}/`, `${server.host}:${there}/`]);
    await byHand("ssh", [
      "-F",
      server.sshConfig,
      server.host,
      `cd ${there} && find . -type f -print0 | xargs -0 sha256sum && sync -f .`,
    ]);
  });
}

async function bareRsync({ source, fresh, server, ssh }: Ground): Promise<Cost> {
  const there = await fresh();
  return await cost(() => byHand("rsync", ["-a", "-e", ssh, `${source}/`, `${server.host}:${there}/`]));
}

async function scpTree({ source, fresh, server }: Ground): Promise<Cost> {
  const there = await fresh();
  return await cost(() => byHand("scp", ["-q", "-r", "-p", "-F", server.sshConfig, source, `${server.host}:${there}/`]));
}

/** lsyncd waits `delay` seconds by its nature; 1 is its least. */
async function lsyncd({ source, fresh, server, ssh }: Ground, count: number): Promise<Cost> {
  const there = await fresh();
  const watched = `${there}-watched`;
  await Deno.mkdir(watched);
  const config = `${there}.lua`;
  await Deno.writeTextFile(
    config,
    `settings{nodaemon=true}\nsync{default.rsync, source="${watched}", target="${server.host}:${there}/", delay=1, rsync={archive=true, rsh="${ssh}"}}\n`,
  );
  const child = new Deno.Command("lsyncd", { args: [config], stdin: "null", stdout: "null", stderr: "null" }).spawn();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await byHand("cp", ["-al", `${source}/.`, watched]);
  const taken = await cost(() => visible(there, count));
  child.kill("SIGTERM");
  await child.status;
  return taken;
}

/**
 * The daemon delivers a few files before it is measured, unless it is not to be `warm`: it runs for months, and only its first
 * files meet an engine that has compiled nothing yet.
 */
async function ours(
  folder: string,
  { source, fresh, server }: Ground,
  load: { readonly count: number },
  method: string,
  warm = true,
): Promise<Cost> {
  const there = await fresh();
  const watched = join(folder, "watched");
  await Deno.mkdir(watched, { recursive: true });
  const installation = await install(folder, {
    watch_path: watched,
    file_patterns: ["*.dat"],
    min_file_age_seconds: 0,
    transfer_method: method,
    remote_host: server.host,
    remote_base_path: there,
    log_level: "INFO",
  }, server.env);
  await using daemon = await installation.start();
  if (warm) await warmUp(watched, there);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await settleDisks();
  await byHand("cp", ["-al", `${source}/.`, watched]);
  const taken = await cost(() => visible(there, load.count));
  await daemon.stop();
  return taken;
}
