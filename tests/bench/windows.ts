/**
 * Windows, in the lab: the program for Windows sends 500 × 100 kB to a sshd by tar, sftp and scp, in alternating rounds. Every ssh that it
 * starts is a login there, as Windows' OpenSSH shares no connection.
 */
import { lab } from "../labs/lab.ts";
import { startWindows, USERPROFILE, type WindowsMachine } from "../labs/windows_machine.ts";
import type { Scenario } from "./bench.ts";
import { fitsTree, median, secs, visible } from "./measure.ts";

const FILES = 500;
const METHODS = ["tar", "sftp", "scp"] as const;
/** How many times as fast as scp tar has to be. */
const WANTED = 5;

export const windows: Scenario = async (say, { rounds, without }) => {
  const script = lab("windows.sh");
  if (script === null) return say({ what: "needs the Windows lab, and root on Debian", value: "left out" });
  await using machine = await startWindows(script);
  await Deno.mkdir(machine.inProfile("images"), { recursive: true });
  await fitsTree(machine.inProfile("images"), FILES, 100_000);
  // The first start brings up Wine's services.
  await machine.run("--version");
  const taken = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const method of METHODS.filter((method) => !without.has(method))) {
      taken.set(method, [...taken.get(method) ?? [], await once(machine, method, `${method}${round}`)]);
    }
  }
  const scp = median(taken.get("scp") ?? [NaN]);
  for (const [method, times] of taken) {
    const ratio = scp / median(times);
    const limit = method === "tar" ? { limit: `${WANTED} × scp`, kept: ratio >= WANTED } : {};
    say({
      what: `Windows, ${FILES} × 100 kB: ${method}`,
      value: secs(median(times)),
      beside: `  ${ratio.toFixed(2)} times as fast as scp  [${times.map((time) => time.toFixed(1)).join(" ")}]`,
      ...limit,
    });
  }
};

/** A run with a ledger of its own; by that, from the first file found ready to the last one verified and visible. */
async function once(machine: WindowsMachine, method: string, name: string): Promise<number> {
  const there = machine.remote.at(name);
  const config = {
    watch_path: "%USERPROFILE%\\images",
    remote_host: "observatory",
    remote_base_path: there,
    transfer_method: method,
    state_directory: `${USERPROFILE}\\AppData\\Local\\image-transfer\\${name}`,
    web: false,
  };
  await Deno.mkdir(machine.inProfile(".config/image-transfer"), { recursive: true });
  await Deno.writeTextFile(machine.inProfile(".config/image-transfer/config.yaml"), JSON.stringify(config));
  const { code, stdout, stderr } = await machine.run("--once");
  if (code !== 0) throw new Error(`${method}: ${stdout}${stderr}`);
  await visible(machine.inProfile("images"), there);
  const rows: { queued_at: string; delivered_at: string }[] = JSON.parse((await machine.run("history", "--json")).stdout);
  if (rows.length !== FILES) throw new Error(`${method}: ${rows.length} deliveries`);
  const begin = Math.min(...rows.map(({ queued_at }) => Date.parse(queued_at)));
  return (Math.max(...rows.map(({ delivered_at }) => Date.parse(delivered_at))) - begin) / 1000;
}
