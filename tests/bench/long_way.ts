/**
 * Many small files over a link with a round trip of 40 ms, through our own proxy.
 *
 * @module
 */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { startProxy } from "../support/tcp_proxy.ts";
import { tempFolder } from "../support/temp.ts";
import { byHand, randomFiles, seconds, settleDisks, visible } from "./measure.ts";

const COUNT = 2000;

export const longWay: Scenario = async (say) => {
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  await using folder = await tempFolder();
  await using server = await startSshd();
  await using proxy = startProxy(server.port, { roundTripMs: 40 });
  const source = folder.at("source");
  await randomFiles(source, COUNT, 20_000);
  const remote = { remote_host: "127.0.0.1", remote_port: proxy.port, remote_user: server.user };

  const byRsync = folder.at("by-rsync");
  await Deno.mkdir(byRsync);
  const hand = await seconds(() =>
    byHand("rsync", [
      "-a",
      "-e",
      `ssh -F ${server.sshConfig} -p ${proxy.port}`,
      `${source}/`,
      `${server.user}@127.0.0.1:${byRsync}/`,
    ])
  );
  say({ what: `round trip 40 ms, ${COUNT} × 20 kB: rsync -a alone`, value: `${Math.round(COUNT / hand)} files/s` });

  const [watched, there] = [folder.at("watched"), folder.at("there")];
  await Deno.mkdir(watched);
  await Deno.mkdir(there);
  const config = {
    watch_path: watched,
    file_patterns: ["*.dat"],
    min_file_age_seconds: 0,
    remote_base_path: there,
    transfer_method: "rsync",
    log_level: "INFO",
  };
  const installation = await install(folder.path, { ...config, ...remote }, server.env);
  await using daemon = await installation.start();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await settleDisks();
  await byHand("cp", ["-al", `${source}/.`, watched]);
  const rate = COUNT / await seconds(() => visible(there, COUNT));
  say({
    what: `round trip 40 ms, ${COUNT} × 20 kB: image-transfer, rsync`,
    value: `${Math.round(rate)} files/s`,
    limit: "400 files/s",
    kept: rate >= 400,
  });
  await daemon.stop();
};
