import { assert } from "@std/assert";
import type { Happening } from "../../src/domain/transfer_event.ts";
import { openLedger } from "../../src/ledger/open_ledger.ts";
import { corridors } from "../../src/pipeline/corridors.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { fakeDestination } from "../support/fake_method.ts";
import { tempFolder } from "../support/temp.ts";
import { aJob } from "./outbox_rig.ts";

Deno.test("stop() comes to an end although a dead network disk never answers", async () => {
  await using folder = await tempFolder();
  await folder.write("data/a.fits", "alpha");
  const clock = createFakeClock({ startMs: Date.now() });
  const asked = Promise.withResolvers<void>();
  const system = {
    ...createSystem(),
    ...clock,
    facts: () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  };
  using ledger = openLedger(folder.at("state"));
  const events: Happening[] = [];
  const all = corridors({
    system,
    ledger,
    tell: (happening) => void events.push(happening),
    methodOf: () => fakeDestination().method,
    once: false,
    workFolder: folder.at("work"),
    spoolFolder: folder.at("work"),
    broken: () => {},
  });
  await all.adopt({
    file: null,
    jobs: [aJob(folder.at("data"), { watchMode: "poll" })],
    stateDirectory: folder.at("state"),
    pidFile: null,
    autoReload: false,
    shutdownTimeoutMs: 20_000,
    maxConcurrentSyncs: 4,
    maxFileOperations: 8,
    syncQueueSize: 10,
    log: { level: "info", directory: "", file: "", maxBytes: 0, backupCount: 0, format: "text" },
    web: null,
    report: null,
  });
  let hangs = false;
  void asked.promise.then(() => hangs = true);
  const turn = async (ms: number) => {
    await clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  for (let turns = 0; !hangs && turns < 400; turns++) await turn(100);
  let ended = false;
  const stopping = all.stop().then(() => ended = true);
  for (let turns = 0; !ended && turns < 400; turns++) await turn(1000);
  assert(ended && hangs, `ended: ${ended}, hangs: ${hangs}`);
  await stopping;
});
