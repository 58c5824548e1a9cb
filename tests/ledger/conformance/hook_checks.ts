/** What the ledger promises the hooks. */
import { assertEquals } from "@std/assert";
import { anAdmission, broken, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

export const HOOKS: readonly Check[] = [
  {
    name: "hookNotes() has what was delivered and what failed, in order, for whoever was there before",
    run({ ledger }) {
      const [a, b, c] = ledger.admit(["a", "b", "c"].map((name) => anAdmission(name)), NOW);
      ledger.record([proven(a!)], NOW);
      assertEquals(ledger.hookNotes(0, 10), [], "nobody wanted it");
      ledger.keepForHooks(["delivered", "failed"]);
      ledger.keepHooks(["one"]);
      ledger.record([proven(b!), broken(c!, "mismatch")], NOW);
      const notes = ledger.hookNotes(ledger.hookPosition("one"), 10);
      assertEquals(notes.map((note) => [note.event, "delivery" in note && note.delivery.source.path]), [["delivered", "b"], [
        "failed",
        "c",
      ]]);
      const [, failed] = notes;
      // Delivered since: what is told is what happened.
      ledger.requeue([c!.id], NOW);
      ledger.record([proven(c!)], NOW);
      assertEquals(ledger.hookNotes(failed!.id - 1, 1), [{
        ...failed!,
        ...("delivery" in failed! ? { delivery: ledger.query({ ids: [c!.id] })[0]!.delivery } : {}),
      }]);
    },
  },
  {
    name: "hookNotes() leaves out what nobody wants, and what is no trouble",
    run({ ledger }) {
      ledger.keepForHooks(["failed"]);
      ledger.keepHooks(["one"]);
      const [a, b, c] = ledger.admit(["a", "b", "c"].map((name) => anAdmission(name)), NOW);
      ledger.record([proven(a!), broken(b!, "skipped"), broken(c!, "superseded")], NOW);
      ledger.recordRemovals([{ id: a!.id, message: "It was deleted at the source", hint: "" }], NOW);
      ledger.noteReport("all is well", NOW);
      assertEquals(ledger.hookNotes(0, 10), []);
      ledger.keepForHooks(["report"]);
      ledger.noteReport("all is well", NOW);
      assertEquals(ledger.hookNotes(0, 10).map(({ id: _, ...note }) => note), [{
        event: "report",
        at: NOW,
        text: "all is well",
      }]);
    },
  },
  {
    name: "advanceHook() survives a new start, never goes back, and forgets what every hook was called for",
    run({ ledger, open }) {
      ledger.keepForHooks(["delivered"]);
      ledger.keepHooks(["one", "two"]);
      const made = ledger.admit(["a", "b", "c"].map((name) => anAdmission(name)), NOW);
      ledger.record(made.map((delivery) => proven(delivery)), NOW);
      const [first, second] = ledger.hookNotes(0, 10);
      ledger.advanceHook("one", second!.id);
      ledger.advanceHook("one", first!.id);
      assertEquals([ledger.hookBacklog("one"), ledger.hookBacklog("two")], [1, 3]);
      ledger.advanceHook("two", first!.id);
      using again = open();
      assertEquals([again.hookPosition("one"), again.hookPosition("two")], [second!.id, first!.id]);
      assertEquals(again.hookNotes(0, 10).length, 2);
    },
  },
  {
    name: "keepHooks() lets a new hook begin with what comes now, and forgets those that are gone",
    run({ ledger }) {
      ledger.keepForHooks(["delivered"]);
      ledger.keepHooks(["old"]);
      const made = ledger.admit(["a", "b"].map((name) => anAdmission(name)), NOW);
      ledger.record([proven(made[0]!)], NOW);
      ledger.keepHooks(["old", "new"]);
      ledger.record([proven(made[1]!)], NOW);
      assertEquals([ledger.hookBacklog("old"), ledger.hookBacklog("new")], [2, 1]);
      ledger.keepHooks([]);
      assertEquals(ledger.hookNotes(0, 10), []);
    },
  },
  {
    name: "boundHookNotes() forgets the oldest and counts what was never told",
    run({ ledger }) {
      ledger.keepForHooks(["delivered"]);
      ledger.keepHooks(["one"]);
      const made = ledger.admit(["a", "b", "c", "d"].map((name) => anAdmission(name)), NOW);
      ledger.record(made.map((delivery) => proven(delivery)), NOW);
      assertEquals([ledger.boundHookNotes(4), ledger.boundHookNotes(1), ledger.hookBacklog("one")], [0, 3, 1]);
    },
  },
];
