/** What mirrors know and remember. */
import { assertEquals } from "@std/assert";
import { NEW_MIRROR } from "../../../src/ledger/outbox_ledger.ts";
import { anAdmission, broken, deliveryOf, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

const paths = (rows: readonly { readonly path: string }[]) => rows.map(({ path }) => path);

export const MIRROR: readonly Check[] = [
  {
    name: "keptPaths() lists what was delivered to a mirror, page by page, in order",
    run({ ledger }) {
      ledger.admit(["b", "a/x", "c", "failed"].map((path) => anAdmission(path, {}, ["nas"])), NOW);
      ledger.admit([anAdmission("elsewhere", {}, ["freya"])], NOW);
      for (const path of ["b", "a/x", "c"]) ledger.record([proven(deliveryOf(ledger, path, "nas"))], NOW);
      ledger.record([proven(deliveryOf(ledger, "elsewhere", "freya")), broken(deliveryOf(ledger, "failed", "nas"))], NOW);
      const first = ledger.keptPaths("spring", ["nas"], "", 2);
      assertEquals(paths(first), ["a/x", "b"]);
      assertEquals(paths(ledger.keptPaths("spring", ["nas"], "b", 2)), ["c"]);
      assertEquals(paths(ledger.keptPaths("spring", ["nas", "freya"], "", 9)), ["a/x", "b", "c", "elsewhere"]);
      assertEquals(ledger.keptPaths("autumn", ["nas"], "", 9), []);
      assertEquals(first[0]?.absolutePath, deliveryOf(ledger, "a/x", "nas").source.absolutePath);
    },
  },
  {
    name: "keptDeliveries() has only the newest version, and nothing that was removed at the source by us",
    run({ ledger }) {
      ledger.admit([anAdmission("a", {}, ["nas"]), anAdmission("ours", {}, ["nas"])], NOW);
      ledger.record([proven(deliveryOf(ledger, "a", "nas")), proven(deliveryOf(ledger, "ours", "nas"))], NOW);
      const [removable] = ledger.removable("spring", ["nas"], 9).filter(({ source }) => source.path === "ours");
      ledger.markRemoved([removable!.versionId], NOW);
      assertEquals(ledger.keptDeliveries("spring", "nas", ["a", "ours", "never"]).map(({ source }) => source.path), ["a"]);
      const [newer] = ledger.admit([anAdmission("a", { mtimeMs: NOW + 5 }, ["nas"])], NOW);
      assertEquals(ledger.keptDeliveries("spring", "nas", ["a"]), []);
      ledger.record([proven(newer!)], NOW);
      assertEquals(ledger.keptDeliveries("spring", "nas", ["a"]).map(({ id }) => id), [newer!.id]);
      assertEquals(ledger.claimants("spring", "nas", [newer!.target, "other"]).length, 2);
    },
  },
  {
    name: "keptPaths() lists a version whose newer one never arrived; not one that was replaced, and removed since",
    run({ ledger }) {
      const newer = (path: string) => ledger.admit([anAdmission(path, { mtimeMs: NOW + 5 }, ["nas"])], NOW)[0]!;
      const kept = () => ledger.keptDeliveries("spring", "nas", ["a", "b"]).map(({ id }) => id);
      ledger.admit(["a", "b"].map((path) => anAdmission(path, {}, ["nas"])), NOW);
      const [a, b] = ["a", "b"].map((path) => deliveryOf(ledger, path, "nas"));
      ledger.record([proven(a!), proven(b!)], NOW);
      assertEquals(ledger.replacedBy(a!), null);
      const [lost, removed] = [newer("a"), newer("b")];
      assertEquals([paths(ledger.keptPaths("spring", ["nas"], "", 9)), kept()], [[], []]);
      ledger.record([broken(lost), proven(removed)], NOW);
      assertEquals([paths(ledger.keptPaths("spring", ["nas"], "", 9)), kept()], [["a", "b"], [a!.id, removed.id]]);
      assertEquals(ledger.replacedBy(removed)?.id, b!.id);
      ledger.recordRemovals([{ id: removed.id, message: "It is in the trash", hint: "" }], NOW);
      assertEquals([paths(ledger.keptPaths("spring", ["nas"], "", 9)), kept()], [["a"], [a!.id]]);
    },
  },
  {
    name: "recordRemovals() leaves no trouble and no image in the night's sums; a file that comes back is queued again",
    run({ ledger }) {
      const admission = anAdmission("a", {}, ["nas"]);
      ledger.admit([admission, anAdmission("b", {}, ["nas"])], NOW);
      ledger.record([proven(deliveryOf(ledger, "a", "nas")), proven(deliveryOf(ledger, "b", "nas"))], NOW);
      const { id } = deliveryOf(ledger, "a", "nas");
      ledger.recordRemovals([{ id, message: "It is in the trash", hint: "Move it back" }], NOW + 1);
      const [row] = ledger.query({ ids: [id] });
      assertEquals(row?.delivery.state.state, "failed");
      const failure = row?.delivery.state.state === "failed" ? row.delivery.state.failure : null;
      assertEquals([failure?.code, failure?.hint], ["removed", "Move it back"]);
      assertEquals(failure?.message.startsWith("It is in the trash. It was delivered on 20"), true);
      assertEquals(ledger.counts("spring", "nas"), { queued: 0, sending: 0, deferred: 0, delivered: 1, failed: 0 });
      const [place] = ledger.nightTotals(admission.night).places;
      assertEquals([place?.expected, place?.delivered, place?.failed], [1, 1, 0]);
      assertEquals(ledger.requeue(null, NOW), 0);
      assertEquals(paths(ledger.keptPaths("spring", ["nas"], "", 9)), ["b"]);
      assertEquals(paths(ledger.unknown("spring", [admission.source], ["nas"]).fresh), ["a"]);
      assertEquals(ledger.admit([admission], NOW + 2).map(({ id }) => id), [id]);
      assertEquals(ledger.counts("spring", "nas").queued, 1);
      assertEquals(ledger.nightTotals(admission.night).places[0]?.expected, 2);
    },
  },
  {
    name: "rememberMirror() and the trash are kept for each job and destination",
    run({ ledger }) {
      assertEquals(ledger.mirrorOf("spring", "nas"), null);
      const state = { root: "1:2", accepted: 3, held: { files: 9, reason: "too many" }, clockMs: 5, wallMs: NOW };
      ledger.rememberMirror("spring", "nas", state);
      ledger.rememberMirror("spring", "freya", NEW_MIRROR);
      assertEquals([ledger.mirrorOf("spring", "nas"), ledger.mirrorOf("spring", "freya")], [state, NEW_MIRROR]);
      ledger.addTrash("spring", "nas", "one", 10);
      ledger.addTrash("spring", "nas", "two", 20);
      ledger.addTrash("spring", "nas", "one", 99);
      ledger.addTrash("spring", "freya", "three", 30);
      assertEquals(ledger.trash("spring", "nas"), [{ folder: "one", bornMs: 10 }, { folder: "two", bornMs: 20 }]);
      ledger.forgetTrash("spring", "nas", ["one", "three"]);
      assertEquals(ledger.trash("spring", "nas").map(({ folder }) => folder), ["two"]);
      assertEquals(ledger.trash("spring", "freya").length, 1);
    },
  },
];
