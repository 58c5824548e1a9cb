import { assertEquals } from "@std/assert";
import { askDestination } from "../../../src/commands/checks/ask_destination.ts";
import { checkDestination } from "../../../src/commands/checks/check_destination.ts";
import { openLedger, readLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aDestination } from "../../conformance/rig.ts";
import { tempFolder } from "../../support/temp.ts";

Deno.test("askDestination() removes what a killed command left on this side, and nothing of one that runs", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const tools = { system, readLedger, signal: new AbortController().signal };
  const stateDirectory = folder.at("state");
  await folder.write("state/asking/killed/whole.fits", "fetched back");
  await folder.write("state/asking/killed.lock", "");
  await folder.write("state/asking/running/whole.fits", "being fetched");
  await using _running = await system.lock(folder.at("state", "asking", "running.lock"));
  const destination = aDestination({ basePath: folder.at("nas") });
  await askDestination(destination, { stateDirectory }, tools, () => Promise.resolve());
  const { entries } = await system.list(folder.at("state", "asking"));
  assertEquals(entries.map(({ name }) => name).sort(), ["running", "running.lock"]);
});

Deno.test("checkDestination() removes what a killed doctor left at the destination", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const tools = { system, readLedger, signal: new AbortController().signal };
  const stateDirectory = folder.at("state");
  openLedger(stateDirectory)[Symbol.dispose]();
  const destination = aDestination({ basePath: folder.at("nas") });
  let left = "";
  await askDestination(destination, { stateDirectory }, tools, ({ stagingRoot }) => {
    left = stagingRoot;
    return Promise.resolve();
  });
  await folder.write(`nas/${left}/doctor/published/doctor-1.txt`, "left by a crash");
  const settings = { ...SETTINGS, stateDirectory };
  assertEquals((await checkDestination(destination, settings, tools)).filter(({ level }) => level === "fault"), []);
  assertEquals((await system.list(folder.at("nas"))).entries, []);
});

const SETTINGS = {
  file: null,
  notes: [],
  jobs: [],
  pidFile: null,
  autoReload: false,
  systemLog: false,
  shutdownTimeoutMs: 1000,
  maxConcurrentSyncs: 1,
  maxFileOperations: 1,
  syncQueueSize: 1,
  log: { level: "info", directory: "", file: "", maxBytes: 0, backupCount: 0, format: "text", namesDestinations: false },
  web: null,
  report: null,
  pocketbase: null,
} as const;
