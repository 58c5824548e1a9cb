/** One 8 MB FITS file from the writer's close() to proven, durable and visible under its final name. */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import { median, secs } from "./measure.ts";

const FILES = 100;

export const latency: Scenario = async (say) => {
  const content = fitsFile(8_000_000);
  const measure = async (
    name: string,
    limit: number,
    destination: Record<string, unknown>,
    env: Readonly<Record<string, string>>,
  ) => {
    await using folder = await tempFolder();
    const [watched, there] = [folder.at("watched"), folder.at("there")];
    await Deno.mkdir(watched);
    await Deno.mkdir(there);
    const installation = await install(folder.path, {
      watch_path: watched,
      remote_base_path: there,
      log_level: "INFO",
      ...destination,
    }, env);
    await using daemon = await installation.start();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const taken: number[] = [];
    for (let i = 0; i < FILES; i++) {
      await Deno.writeFile(`${watched}/img${i}.fits`, content);
      const closed = performance.now();
      while (!await exists(`${there}/img${i}.fits`)) await new Promise((resolve) => setTimeout(resolve, 1));
      taken.push((performance.now() - closed) / 1000);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const middle = median(taken);
    say({
      what: `8 MB FITS, close() to visible, ${name}: median of ${FILES}`,
      value: secs(middle),
      limit: secs(limit),
      kept: middle <= limit,
    });
    const slowest = Math.max(...taken);
    say({ what: `8 MB FITS, close() to visible, ${name}: slowest`, value: secs(slowest), limit: "0.3 s", kept: slowest <= 0.3 });
    await daemon.stop();
  };
  await measure("local", 0.03, { transfer_method: "local" }, {});
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  for (const method of ["auto", "rsync", "sftp", "scp"]) {
    await using server = await startSshd();
    await measure(method, 0.08, { transfer_method: method, remote_host: server.host }, server.env);
  }
};

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
