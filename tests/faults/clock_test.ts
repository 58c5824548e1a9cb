/** The clock is set back and forth, and file times lie: what is due is still due, every new version is seen. */
import { assert, assertEquals } from "@std/assert";
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { startDaemon } from "../../src/daemon/daemon.ts";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";

const DAY = 86_400_000;

Deno.test("the clock is set back by a day during an outage, then forward by a year: all is delivered, in seconds", async () => {
  await using folder = await tempFolder();
  const [watched, there] = [folder.at("camera"), folder.at("archive")];
  await Deno.mkdir(watched);
  let offset = 0;
  const real = createSystem();
  const system = { ...real, now: () => real.now() + offset };
  const config = {
    watch_path: watched,
    transfer_method: "local",
    remote_base_path: there,
    state_directory: folder.at("state"),
    log_directory: folder.at("logs"),
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    min_file_age_seconds: 0.2,
    retry_delay: 1,
    web: false,
  };
  const settings = parseSettings(JSON.stringify(config), folder.at("config.yaml"), "yaml", system);
  const events: TransferEvent[] = [];
  await using daemon = await startDaemon(settings, {
    system,
    openLedger,
    readSettings: null,
    listeners: [(event) => void events.push(event)],
  });
  assert(daemon);
  const delivered = (count: number) => until(() => daemon.ledger.counts().delivered === count, `${count} are delivered`);
  const write = (name: string, seed: number) => Deno.writeFile(`${watched}/${name}`, fitsFile(100_000, seed));

  await write("a.fits", 1);
  await delivered(1);

  // The destination is away, with something waiting for a time that is now a day off.
  await Deno.rename(there, `${there}-away`);
  await write("b.fits", 2);
  const waits = (event: TransferEvent) =>
    event.type === "deferred" || (event.type === "destination" && event.now.state !== "open");
  await until(() => events.some(waits), "it waits");
  offset = -DAY;
  await Deno.rename(`${there}-away`, there);
  await delivered(2);

  // The camera's clock is older still, and one of its files gets new content of the same length.
  await write("a.fits", 3);
  await Deno.utime(`${watched}/a.fits`, 1000, 1000);
  await delivered(3);
  offset = 365 * DAY;
  await write("c.fits", 4);
  await Deno.utime(`${watched}/c.fits`, 4e9, 4e9);
  await delivered(4);
  for (const [name, seed] of [["a.fits", 3], ["b.fits", 2], ["c.fits", 4], ["a.v1.fits", 1]] as const) {
    assertEquals(await Deno.readFile(`${there}/${name}`), fitsFile(100_000, seed), name);
  }
  assertEquals(daemon.ledger.counts(), { queued: 0, sending: 0, deferred: 0, delivered: 4, failed: 0 });
});
