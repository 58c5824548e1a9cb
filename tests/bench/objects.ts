/**
 * Small files to an S3 server on loopback, beside `rclone copy` with its own settings in the same round. What a daemon does more: it
 * hashes each source, has the store's hash told, and gives names only then.
 */
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { rcloneConfig, startS3 } from "../support/rclone_servers.ts";
import { tempFolder } from "../support/temp.ts";
import type { Scenario } from "./bench.ts";
import { byHand, type Cost, cost, drop, fitsTree, median, ratios, secs, settleDisks, times, warmUp } from "./measure.ts";

const COUNT = 500;
const BYTES = 100_000;
/** Of the time that `rclone copy` takes. */
const LIMIT = 1.2;

export const objects: Scenario = async (say, { rounds }) => {
  if (!has("rclone", "versitygw")) return say({ what: "needs rclone and versitygw", value: "left out" });
  const [bare, ours]: [Cost[], Cost[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    await using folder = await tempFolder();
    await using server = await startS3(folder.at("buckets"));
    const config = await rcloneConfig(folder, server.section());
    const [source, watched, there] = [folder.at("source"), folder.at("watched"), folder.at("buckets", "bucket")];
    await fitsTree(source, COUNT, BYTES);
    for (const path of [watched, there]) await Deno.mkdir(path);
    await settleDisks();
    bare.push(await cost(() => byHand("rclone", ["--config", config, "copy", source, "s3remote:bucket/by-hand"])));
    const installation = await install(folder.path, {
      watch_path: watched,
      transfer_method: "rclone",
      remote_base_path: "s3remote:bucket",
      rclone_config: config,
      log_level: "INFO",
    });
    await using running = await installation.start();
    await warmUp(watched, there, COUNT);
    ours.push(await drop(source, watched, there, 120));
    await running.stop();
  }
  const [wall, cpu] = ratios(ours, bare);
  const load = `${COUNT} × 100 kB`;
  say({ what: `${load}: rclone copy`, value: secs(median(bare.map(({ wall }) => wall))), cost: bare });
  say({
    what: `${load}: image-transfer, rclone`,
    value: secs(median(ours.map(({ wall }) => wall))),
    cost: ours,
    beside: `  ${times(wall)} rclone copy, processor ${times(cpu)}`,
    limit: times(LIMIT),
    kept: wall <= LIMIT,
  });
};
