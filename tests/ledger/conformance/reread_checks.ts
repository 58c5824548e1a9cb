/** Which bytes are read again, and what follows. */
import { assertEquals } from "@std/assert";
import type { Reading } from "../../../src/ledger/intake_ledger.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { aClaim, anAdmission, broken, HASH, NOW, proven, wasRead } from "../makers.ts";
import type { Check } from "./conformance.ts";

const OTHER = "f".repeat(64);
const RACY = { racyUntil: NOW + 1_000 };
const DUE = NOW + 1_000;
const due = (ledger: Ledger) => ledger.dueRereads("spring", DUE, 10);
const paths = (ledger: Ledger) => due(ledger).map(({ facts }) => facts.path);
const recordAll = (ledger: Ledger, found: Reading) => ledger.recordRereads(due(ledger).map((one) => ({ ...one, found })));

export const REREADS: readonly Check[] = [
  {
    name: "dueRereads() has what was admitted racy when its time has come, also for another process",
    run({ open }) {
      {
        using ledger = open();
        const [, b] = ledger.admit([anAdmission("a"), { ...anAdmission("b"), ...RACY }], NOW);
        ledger.record([proven(b!)], NOW, new Map([[b!.id, { at: NOW, sha256: HASH }]]));
        assertEquals([ledger.dueRereads("spring", DUE - 1, 10), ledger.nextReread("spring"), ledger.nextReread("autumn")], [
          [],
          DUE,
          null,
        ]);
      }
      using ledger = open();
      const [reread, ...rest] = due(ledger);
      const { job: _, absolutePath: __, ...facts } = anAdmission("b").source;
      assertEquals([reread?.facts, reread?.wasRead, rest], [facts, true, []]);
    },
  },
  {
    name: "recordRereads() is content with the same bytes, and has other bytes compared",
    run({ ledger }) {
      const deliveries = ledger.admit([{ ...anAdmission("a"), ...RACY }, { ...anAdmission("b"), ...RACY }], NOW);
      ledger.record(
        deliveries.map((one) => proven(one)),
        NOW,
        new Map(deliveries.map(({ id }) => [id, { at: NOW, sha256: HASH }])),
      );
      const [a, b] = due(ledger);
      assertEquals(
        ledger.recordRereads([{ ...a!, found: { is: "read", sha256: HASH } }, { ...b!, found: { is: "read", sha256: OTHER } }]),
        ["b"],
      );
      const { source } = anAdmission("b");
      assertEquals(ledger.unknown("spring", [anAdmission("a").source, source], ["freya"]).recheck, [source]);
      assertEquals([paths(ledger), ledger.nextReread("spring")], [[], null]);
    },
  },
  {
    name: "recordRereads() does not trust a hash that was remembered after other bytes had arrived elsewhere",
    run({ ledger }) {
      const [freya, nas] = ledger.admit([{ ...anAdmission("a", {}, ["freya", "nas"]), ...RACY }], NOW);
      ledger.record([proven(freya!)], NOW);
      wasRead(ledger, nas!, OTHER);
      assertEquals(recordAll(ledger, { is: "read", sha256: OTHER }), ["a"]);
    },
  },
  {
    name: "record() has a file compared anew whose bytes are others by now than those that arrived elsewhere",
    run({ ledger }) {
      const [freya, nas] = ledger.admit([{ ...anAdmission("a", {}, ["freya", "nas"]), ...RACY }], NOW);
      ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
      // It failed there, after the rewritten file was read late enough to be certain.
      assertEquals(ledger.record([broken(nas!, "mismatch")], NOW, new Map([[nas!.id, { at: DUE, sha256: OTHER }]])), true);
      assertEquals(ledger.unknown("spring", [anAdmission("a").source], ["freya"]).recheck.length, 1);
    },
  },
  {
    name: "record() needs no second reading of what was read when it was not racy any more",
    run({ ledger }) {
      const [early, late] = ledger.admit([{ ...anAdmission("early"), ...RACY }, { ...anAdmission("late"), ...RACY }], NOW);
      const reads = new Map([[early!.id, { at: DUE - 1, sha256: HASH }], [late!.id, { at: DUE, sha256: HASH }]]);
      ledger.record([proven(early!), proven(late!)], NOW, reads);
      assertEquals(paths(ledger), ["early"]);
    },
  },
  {
    name: "record() of a delivery whose sizes alone were compared makes nobody's bytes certain",
    run({ ledger }) {
      const [freya, nas] = ledger.admit([{ ...anAdmission("a", {}, ["freya", "nas"]), ...RACY }], NOW);
      ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
      ledger.record([proven(nas!, null)], DUE);
      assertEquals(due(ledger).map(({ wasRead }) => wasRead), [true]);
    },
  },
  {
    name: "dueRereads() waits for the first reader of a file, and says of one that nobody has read that it is so",
    run({ ledger }) {
      ledger.admit([{ ...anAdmission("a"), ...RACY }], NOW);
      assertEquals(due(ledger).map(({ wasRead }) => wasRead), [false]);
      ledger.claim(aClaim());
      assertEquals(due(ledger), []);
    },
  },
  {
    name: "requestRereads() asks for the newest version, also while it is being read again",
    run({ ledger }) {
      ledger.admit([anAdmission("a")], NOW);
      ledger.admit([anAdmission("a", { size: 2 }), { ...anAdmission("racy"), racyUntil: NOW + 9_000 }], NOW);
      ledger.requestRereads("spring", ["a", "racy", "never seen"], DUE);
      const reading = due(ledger);
      assertEquals(reading.map(({ facts: { path, size } }) => [path, size]), [["a", 2]]);
      // Heard of in the same millisecond, while it is read.
      ledger.requestRereads("spring", ["a"], DUE);
      ledger.recordRereads(reading.map((one) => ({ ...one, found: { is: "read", sha256: HASH } })));
      assertEquals(ledger.dueRereads("spring", DUE + 1, 10).map(({ facts }) => facts.path), ["a"]);
    },
  },
  {
    name: "a newer version ends the wait for the bytes of the former",
    run({ ledger }) {
      ledger.admit([{ ...anAdmission("a"), ...RACY }], NOW);
      ledger.admit([anAdmission("a", { size: 2 })], NOW);
      assertEquals([paths(ledger), ledger.nextReread("spring")], [[], null]);
    },
  },
  {
    name: "removable() never offers a file whose bytes may have been rewritten without a trace",
    run({ ledger }) {
      const [a] = ledger.admit([{ ...anAdmission("a"), ...RACY }], NOW);
      ledger.record([proven(a!)], NOW, new Map([[a!.id, { at: NOW, sha256: HASH }]]));
      assertEquals(ledger.removable("spring", ["freya"], 10), []);
      recordAll(ledger, { is: "read", sha256: HASH });
      assertEquals(ledger.removable("spring", ["freya"], 10).length, 1);
    },
  },
  {
    name: "recheck() remembers until when the compared file was racy",
    run({ ledger }) {
      const [a] = ledger.admit([anAdmission("a")], NOW);
      ledger.record([proven(a!)], NOW);
      ledger.recheck({ ...anAdmission("a", { ctimeMs: NOW }), ...RACY }, HASH, NOW);
      assertEquals(paths(ledger), ["a"]);
    },
  },
];
