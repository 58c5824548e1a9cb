/**
 * A daemon with so many files to deliver, in `<folder>/images`, and a destination that cannot be reached. Prints how much it holds
 * in memory when all of them are queued: `<bytes of the heap> <bytes resident>`. Needs `--expose-gc`.
 */
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";

declare const gc: () => void;

const [folder = "", count = "", port = ""] = Deno.args;
const system = createSystem();
const config = {
  watch_path: `${folder}/images`,
  file_patterns: ["*.dat"],
  min_file_age_seconds: 0,
  transfer_method: "sftp",
  remote_host: "127.0.0.1",
  remote_port: Number(port),
  remote_base_path: "/nowhere",
  retry_delay: 0.1,
  state_directory: `${folder}/state`,
  log_directory: folder,
  web: false,
};
const settings = parseSettings(JSON.stringify(config), `${folder}/config.yaml`, "yaml", system);
const daemon = await startDaemon(settings, { system, openLedger, readSettings: null, listeners: [] });
if (daemon === null) throw new Error("another one runs");

const isAway = async () => (await daemon.status()).destinations.every(({ state }) => state !== "open");
while (daemon.ledger.counts().queued < Number(count) || !await isAway()) await system.sleep(100);
// Some more tries, so that what each of them holds is in it; Workers of the scan end meanwhile.
await system.sleep(3000);
gc();
await system.sleep(100);
gc();
const { heapUsed, rss } = Deno.memoryUsage();
system.print("stdout", `${heapUsed} ${rss}\n`);
await daemon[Symbol.asyncDispose]();
system.exit(0);
