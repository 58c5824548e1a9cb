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
import { byHand, median, randomFiles, seconds, secs, settleDisks, times, visible } from "./measure.ts";

const ROUNDS = 3;
const LOADS = [{ name: "2,000 × 100 kB", count: 2000, bytes: 100_000 }, { name: "4 × 200 MB", count: 4, bytes: 200_000_000 }];

interface Ground {
  readonly source: string;
  /** A fresh place for a contestant to deliver to. */
  readonly fresh: () => Promise<string>;
  readonly server: Sshd;
  readonly ssh: string;
}

export const throughput: Scenario = async (say) => {
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  for (const load of LOADS) {
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
    const contestants: Record<string, () => Promise<number>> = {
      "rsync -a, then hash and sync by ssh (the same by hand)": () => theSameByHand(ground),
      "rsync -a alone": () => bareRsync(ground),
      "scp -r": () => scpTree(ground),
      ...(which("lsyncd") ? { lsyncd: () => lsyncd(ground, load.count) } : {}),
      "image-transfer, rsync": () => ours(folder.at(`ours-${number++}`), ground, load.count, "rsync"),
      "image-transfer, sftp": () => ours(folder.at(`ours-${number++}`), ground, load.count, "sftp"),
    };
    const results = new Map<string, number[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, run] of Object.entries(contestants)) {
        await settleDisks();
        results.set(name, [...results.get(name) ?? [], await run()]);
      }
    }
    const [hand, bare] = [...results.values()].map(median) as [number, number];
    for (const [name, taken] of results) say({ what: `${load.name}: ${name}`, value: secs(median(taken)) });
    const our = median(results.get("image-transfer, rsync")!);
    say({ what: `${load.name}: ours / the same by hand`, value: times(our / hand), limit: "1.15 ×", kept: our / hand <= 1.15 });
    say({ what: `${load.name}: ours / bare rsync -a`, value: times(our / bare) });
  }
};

async function theSameByHand({ source, fresh, server, ssh }: Ground): Promise<number> {
  const there = await fresh();
  return await seconds(async () => {
    await byHand("rsync", ["-a", "-e", ssh, `${source}/`, `${server.host}:${there}/`]);
    await byHand("ssh", [
      "-F",
      server.sshConfig,
      server.host,
      `cd ${there} && find . -type f -print0 | xargs -0 sha256sum && sync -f .`,
    ]);
  });
}

async function bareRsync({ source, fresh, server, ssh }: Ground): Promise<number> {
  const there = await fresh();
  return await seconds(() => byHand("rsync", ["-a", "-e", ssh, `${source}/`, `${server.host}:${there}/`]));
}

async function scpTree({ source, fresh, server }: Ground): Promise<number> {
  const there = await fresh();
  return await seconds(() => byHand("scp", ["-q", "-r", "-p", "-F", server.sshConfig, source, `${server.host}:${there}/`]));
}

/** lsyncd waits `delay` seconds by its nature; 1 is its least. */
async function lsyncd({ source, fresh, server, ssh }: Ground, count: number): Promise<number> {
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
  const taken = await seconds(() => visible(there, count));
  child.kill("SIGTERM");
  await child.status;
  return taken;
}

async function ours(folder: string, { source, fresh, server }: Ground, count: number, method: string): Promise<number> {
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
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await byHand("cp", ["-al", `${source}/.`, watched]);
  const taken = await seconds(() => visible(there, count));
  await daemon.stop();
  return taken;
}
