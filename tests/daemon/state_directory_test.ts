import { assertEquals } from "@std/assert";
import { stateWatch, sweepState } from "../../src/daemon/state_directory.ts";
import { Failure, type FailureRecord, failureRecord } from "../../src/domain/failure.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import type { LedgerTrouble } from "../../src/ledger/ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { tempFolder } from "../support/temp.ts";

const FULL = failureRecord(new Failure("local_disk_full", "Cannot write the ledger: the disk is full"));

/** Looks that find these, one after the other; what it told, and what it ended with. */
async function watched(found: readonly (LedgerTrouble | null)[], once: boolean) {
  const left = [...found];
  const over = new AbortController();
  const told: NewEvent[] = [];
  const ended: FailureRecord[] = [];
  const watch = stateWatch({
    stateDirectory: "/state",
    lock: { isInPlace: () => Promise.resolve(true) },
    ledger: { trouble: () => null, lookAfter: () => left.shift() ?? null, checkAll: () => Promise.resolve() },
    system: {
      sleep: () => Promise.resolve(left.length === 0 ? over.abort() : undefined),
      checkDatabase: () => Promise.resolve([]),
    },
    emit: (event) => void told.push(event),
    once,
    end(failure) {
      ended.push(failure);
      over.abort();
    },
  });
  await watch.run(over.signal);
  return { told: told.map((event) => event.type === "trouble" ? event.failure?.code ?? null : event), ended, left: left.length };
}

Deno.test("stateWatch() tells a trouble once, and its end", async () => {
  const full = { failure: FULL, ends: false };
  assertEquals(await watched([null, full, full, full, full, null, null, full], false), {
    told: ["local_disk_full", null, "local_disk_full"],
    ended: [],
    left: 0,
  });
});

Deno.test("stateWatch() ends the daemon where only a new start helps, and a run that somebody waits for after some looks", async () => {
  const full = { failure: FULL, ends: false };
  assertEquals((await watched([null, { ...full, ends: true }, null], false)).ended, [FULL]);
  assertEquals(await watched([null, full, full, full, full, full], true), { told: ["local_disk_full"], ended: [FULL], left: 2 });
});

Deno.test("sweepState() keeps other accounts out of the files that hold secrets, also where they could read them before", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using folder = await tempFolder();
  const ours = ["lock", "web.json", "control.json", "pocketbase-jobs.json", "ledger-damaged-2026.sqlite"];
  for (const name of [...ours, "notes.txt", "elsewhere"]) {
    await folder.write(name, "x");
    await Deno.chmod(folder.at(name), 0o644);
  }
  await Deno.remove(folder.at("control.json"));
  await Deno.symlink(folder.at("elsewhere"), folder.at("control.json"));
  await sweepState(folder.path, createSystem(), () => {});
  const modeOf = (name: string) => Deno.statSync(folder.at(name)).mode! & 0o777;
  assertEquals(ours.map(modeOf), [0o600, 0o600, 0o644, 0o600, 0o600]);
  assertEquals([modeOf("notes.txt"), modeOf("elsewhere")], [0o644, 0o644]);
});
