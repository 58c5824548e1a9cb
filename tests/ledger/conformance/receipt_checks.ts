/** A receipt never changes: what was recorded as delivered stays as it is, whatever is asked of the queue. */
import { assertEquals } from "@std/assert";
import type { History } from "../../../src/ledger/history.ts";
import { deliver } from "../../../src/domain/delivery.ts";
import { verify } from "../../../src/domain/receipt.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { aClaim, aFailure, anAdmission, deliveryOf, HASH, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

const OTHER = "f".repeat(64);

/** Everything that may be asked of a ledger later, but for `markGone` and `sendAgain`. */
const CHANGES: readonly [string, (ledger: Ledger, id: number) => unknown][] = [
  ["it is admitted again", (ledger) => ledger.admit([anAdmission("a")], NOW + 1)],
  ["a newer version is admitted", (ledger) => ledger.admit([anAdmission("a", { size: 2 })], NOW + 1)],
  ["it goes to one more destination", (ledger) => ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW + 1)],
  ["a changed ctime has the same bytes", (ledger) => ledger.recheck(anAdmission("a", { ctimeMs: NOW }), HASH, NOW + 1)],
  ["a changed ctime has other bytes", (ledger) => ledger.recheck(anAdmission("a", { ctimeMs: NOW }), OTHER, NOW + 1)],
  ["something is claimed", (ledger) => ledger.claim(aClaim({ now: NOW + 1 }))],
  ["the destination is back", (ledger) => ledger.makeDue("spring", "freya")],
  ["it is retried by its id", (ledger, id) => ledger.requeue([id], NOW + 1)],
  ["all failures are retried", (ledger) => ledger.requeue(null, NOW + 1)],
  ["its destination is given up", (ledger) => ledger.giveUp("spring", "freya", aFailure("skipped"), NOW + 1)],
  [
    "its source is removed",
    (ledger) => ledger.markRemoved(ledger.removable("spring", ["freya"], 1).map((one) => one.versionId), NOW),
  ],
  ["its destination is paused", (ledger) => ledger.setPaused("freya", "ann")],
  ["its destination has another device", (ledger) => ledger.rememberDevice("spring", "freya", "2")],
  ["another destination has other bytes", (ledger) => {
    ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW + 1);
    ledger.record([proven(deliveryOf(ledger, "a", "nas"), OTHER)], NOW + 1);
  }],
];

const KEPT: readonly Check[] = (["md5", "sha1", undefined] as const).map((shownBy) => ({
  name: `a receipt keeps which hashes were compared: ${shownBy ?? "sha256"}`,
  run({ ledger, read }) {
    const [delivery] = ledger.admit([anAdmission("a")], NOW);
    const sent = { bytes: 1000, sha256: HASH };
    const receipt = verify(sent, shownBy === undefined ? sent : { ...sent, shownBy }, "checksum", NOW);
    assertEquals(receipt.algorithm, shownBy ?? "sha256");
    ledger.record([deliver(delivery!, receipt)], NOW);
    using reader = read();
    for (const history of [ledger, reader]) {
      assertEquals(history.query({}).map((row) => row.delivery.state), [{ state: "delivered", receipt }]);
    }
  },
}));

const UNCHANGED: readonly Check[] = CHANGES.map(([what, change]) => ({
  name: `a receipt stays as it is when ${what}`,
  run({ ledger, read }) {
    const [delivery] = ledger.admit([anAdmission("a")], NOW);
    ledger.record([proven(delivery!)], NOW, new Map([[delivery!.id, { at: NOW, sha256: HASH }]]));
    const recorded = (ledger: Pick<History, "query">) =>
      ledger.query({ ids: [delivery!.id] }).map(({ delivery: { state, target }, deliveredAt, sha256 }) => ({
        state,
        target,
        deliveredAt,
        sha256,
      }));
    const before = recorded(ledger);
    change(ledger, delivery!.id);
    assertEquals(recorded(ledger), before);
    using reader = read();
    assertEquals(recorded(reader), before);
  },
}));

export const RECEIPTS: readonly Check[] = [...KEPT, ...UNCHANGED];
