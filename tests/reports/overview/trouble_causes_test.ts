import { assertEquals } from "@std/assert";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { liveStates } from "../../../src/reports/overview/live_state.ts";
import type { DestinationNow } from "../../../src/reports/page_source.ts";
import { aFailure, anAdmission, broken, NOW } from "../../ledger/makers.ts";
import { tempFolder } from "../../support/temp.ts";
import { fakeSource } from "../fake_source.ts";

function aDestination(job: string, name: string, state: DestinationNow["state"]): DestinationNow {
  return {
    // The state asks where it is, nothing else.
    destination: { job, name, transport: { method: "local" }, basePath: "/nas" } as DestinationNow["destination"],
    method: "local",
    state,
    freeBytes: null,
    made: false,
    limit: null,
    heldRemovals: null,
    audit: null,
    survey: () => Promise.resolve(null),
  };
}

Deno.test("trouble is grouped by cause, with since when, how many wait, and how many there are beyond those listed", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const away = { state: "backing_off", failure: aFailure("unreachable"), until: NOW } as const;
  const destinations = [
    aDestination("spring", "nas", away),
    aDestination("guide", "nas", { ...away, failure: aFailure("timeout") }),
    aDestination("spring", "attic", { ...away, failure: aFailure("unreachable") }),
    aDestination("spring", "freya", { state: "open" }),
  ];
  ledger.noteRunning(NOW - 9000);
  ledger.noteState("spring", "nas", "backing_off", NOW - 5000);
  ledger.noteState("spring", "attic", "backing_off", NOW - 7000);
  for (let i = 0; i < 60; i++) {
    const [, , lost] = ledger.admit([anAdmission(`${i}.fits`, {}, ["nas", "attic", "freya"])], NOW - 1000 + i);
    ledger.record([broken(lost!, i === 7 ? "bad_name" : "exists")], NOW);
  }
  const { troubleCauses, trouble, troubleCount } = liveStates(fakeSource(ledger, { destinations: () => destinations }))(NOW);
  assertEquals([trouble.length, troubleCount], [50, 63]);
  assertEquals(
    troubleCauses.map(({ title, since, waiting, count }) => [title, since === null ? null : since - NOW, waiting, count]),
    [
      ["A different file of that name exists at the destination", -1000, 0, 59],
      ["The name cannot be used", -993, 0, 1],
      ["nas and attic cannot be reached", -7000, 60, 3],
    ],
  );
  const keys = troubleCauses.map(({ key }) => key);
  assertEquals(trouble.filter(({ cause }) => !keys.includes(cause)), []);
});
