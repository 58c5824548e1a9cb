/** What waits for destinations that are not configured any more, and its end. */
import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { forgetOrphans, oldestToSend, orphans, withoutOrphans } from "../../src/ledger/orphans.ts";
import { tempFolder } from "../support/temp.ts";
import { aClaim, anAdmission, broken, deliveryOf, later, NOW, proven, someFacts, states } from "./makers.ts";

const JOBS = [{ name: "spring", destinations: [{ name: "freya" }] }];

/** Of `spring`: tiny has one of every state, freya one queued; of the removed job `autumn`, freya has one queued. */
function fill(ledger: Ledger): void {
  for (const [index, path] of ["queued", "sending", "deferred", "delivered", "failed"].entries()) {
    ledger.admit([anAdmission(path, {}, ["tiny"])], NOW + index);
    if (path === "queued") ledger.record([later(deliveryOf(ledger, path, "tiny"), NOW + 1e9)], NOW);
    if (path === "sending") ledger.claim(aClaim({ destination: "tiny" }));
    if (path === "deferred") ledger.record([later(deliveryOf(ledger, path, "tiny"), NOW + 1e9)], NOW);
    if (path === "delivered") ledger.record([proven(deliveryOf(ledger, path, "tiny"))], NOW);
    if (path === "failed") ledger.record([broken(deliveryOf(ledger, path, "tiny"))], NOW);
  }
  ledger.requeue([deliveryOf(ledger, "queued", "tiny").id], NOW);
  ledger.admit([anAdmission("new")], NOW + 60_000);
  ledger.admit([anAdmission("old", {}, ["freya"], "autumn")], NOW - 60_000);
}

Deno.test("orphans() names what has no destination any more, and withoutOrphans() leaves what can be sent", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.at("state"));
  fill(ledger);
  const found = orphans(ledger, JOBS);
  assertEquals(found, [
    { job: "autumn", destination: "freya", counts: { queued: 1, sending: 0, deferred: 0, delivered: 0, failed: 0 } },
    { job: "spring", destination: "tiny", counts: { queued: 1, sending: 1, deferred: 1, delivered: 1, failed: 1 } },
  ]);
  assertEquals(withoutOrphans(ledger.counts(), found), { queued: 1, sending: 0, deferred: 0, delivered: 1, failed: 0 });
  assertEquals(oldestToSend(ledger, JOBS), NOW + 60_000);
  assertEquals(oldestToSend(ledger, [...JOBS, { name: "autumn", destinations: [{ name: "freya" }] }]), NOW - 60_000);
});

Deno.test("forgetOrphans() gives up all but the delivered, and putting the destination back brings none of it back", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.at("state"));
  fill(ledger);
  assertEquals(forgetOrphans(ledger, JOBS, "tiny", NOW), { count: 4, jobs: ["spring"] });
  assertEquals(states(ledger).filter((line) => line.includes("tiny")), [
    "queued → tiny failed skipped",
    "sending → tiny failed skipped",
    "deferred → tiny failed skipped",
    "delivered → tiny delivered",
    "failed → tiny failed skipped",
  ]);
  assertEquals(orphans(ledger, JOBS).map(({ job }) => job), ["autumn"]);
  assertEquals(ledger.counts().failed, 0);
  // As an intake asks when the destination is there again: nothing to admit, nothing to send, nothing that retry --all takes.
  assertEquals(ledger.unknown("spring", [someFacts("queued"), someFacts("failed")], ["tiny"]), { fresh: [], recheck: [] });
  assertEquals([ledger.requeue(null, NOW), ledger.nextDue("spring", "tiny")], [0, null]);
});

Deno.test("forgetOrphans() of a name that another job still has gives up that of the removed job only", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.at("state"));
  fill(ledger);
  assertEquals(forgetOrphans(ledger, JOBS, "freya", NOW), { count: 1, jobs: ["autumn"] });
  assertEquals(ledger.counts("spring", "freya").queued, 1);
});

Deno.test("forgetOrphans() refuses what is configured and what nothing waits for, and changes nothing", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.at("state"));
  ledger.admit([anAdmission("a", {}, ["freya", "tiny"])], NOW);
  const configured = assertThrows(() => forgetOrphans(ledger, JOBS, "freya", NOW), Failure, 'Cannot forget "freya"');
  assertEquals(configured.hint.endsWith("Such destinations: tiny."), true);
  const unknown = assertThrows(() => forgetOrphans(ledger, JOBS, "tinny", NOW), Failure, '"tinny"');
  assertEquals([unknown.code, unknown.hint], ["configuration", "Such destinations: tiny."]);
  assertEquals(ledger.counts().queued, 2);
});
