/** Deliveries that are queued again, or marked as gone. */
import { assertEquals } from "@std/assert";
import { aClaim, anAdmission, broken, deliveryOf, NOW, proven, states } from "../makers.ts";
import type { Check } from "./conformance.ts";

export const REQUEUE: readonly Check[] = [
  {
    name: "sendAgain() queues what is delivered, its receipt removed, and nothing else",
    run({ ledger }) {
      ledger.admit(["a", "b", "c"].map((path) => anAdmission(path)), NOW);
      ledger.record([proven(deliveryOf(ledger, "a")), broken(deliveryOf(ledger, "b"))], NOW);
      const ids = ["a", "b", "c"].map((path) => deliveryOf(ledger, path).id);
      assertEquals(ledger.sendAgain([...ids, 99], NOW + 1), [ids[0]]);
      assertEquals(states(ledger), ["a → freya queued", "b → freya failed bad_name", "c → freya queued"]);
      assertEquals(ledger.query({ ids: [ids[0]!] })[0]?.deliveredAt, null);
      assertEquals(ledger.counts(), { queued: 2, sending: 0, deferred: 0, delivered: 0, failed: 1 });
      assertEquals(ledger.nightTotals("20240517").places[0]?.delivered, 0);
      const [first] = ledger.claim(aClaim({ maxFiles: 1 }));
      ledger.record([proven(first!)], NOW + 2);
      assertEquals(ledger.nightTotals("20240517").places[0]?.delivered, 1);
    },
  },
  {
    name: "sendAgain() never sends an old version after a newer one",
    run({ ledger }) {
      ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW);
      const old = ["freya", "nas"].map((destination) => deliveryOf(ledger, "a", destination));
      ledger.record(old.map((delivery) => proven(delivery)), NOW);
      ledger.admit([anAdmission("a", { size: 2000 })], NOW + 1);
      assertEquals(ledger.sendAgain(old.map(({ id }) => id), NOW + 2), [old[1]!.id]);
    },
  },
  {
    name: "markGone() keeps of delivered ones only when they were, counts them separately, and sendAgain() queues them",
    run({ ledger }) {
      ledger.admit(["a", "b", "c"].map((path) => anAdmission(path)), NOW);
      ledger.record([proven(deliveryOf(ledger, "a")), broken(deliveryOf(ledger, "b"))], NOW);
      const ids = ["a", "b", "c"].map((path) => deliveryOf(ledger, path).id);
      assertEquals(ledger.markGone(ids, "It is not there", NOW + 1), 1);
      assertEquals(states(ledger), ["a → freya failed gone", "b → freya failed bad_name", "c → freya queued"]);
      const [gone] = ledger.query({ gone: true });
      const state = gone?.delivery.state;
      assertEquals(
        state?.state === "failed" && state.failure.message,
        `It is not there. It was delivered on ${new Date(NOW).toISOString().slice(0, 16).replace("T", " ")} UTC`,
      );
      assertEquals(ledger.counts(), { queued: 1, sending: 0, deferred: 0, delivered: 0, failed: 1, gone: 1 });
      assertEquals(ledger.query({ trouble: true }).map(({ delivery }) => delivery.source.path), ["b"]);
      const [night] = ledger.nightTotals("20240517").places;
      assertEquals([night?.expected, night?.delivered], [3, 0]);
      assertEquals(ledger.requeue(null, NOW + 2), 1);
      assertEquals(ledger.sendAgain(ids, NOW + 2), [ids[0]]);
      assertEquals(ledger.counts(), { queued: 3, sending: 0, deferred: 0, delivered: 0, failed: 0 });
    },
  },
];
