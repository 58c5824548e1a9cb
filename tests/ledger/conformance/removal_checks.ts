/** Which sources may be removed (I4), and what is remembered about destinations. */
import { assertEquals } from "@std/assert";
import { aClaim, anAdmission, broken, deliveryOf, HASH, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

const BOTH = ["freya", "nas"];

export const REMOVAL: readonly Check[] = [
  {
    name: "removable() waits for a compared hash at every destination",
    run({ ledger }) {
      ledger.admit([anAdmission("a", {}, BOTH)], NOW);
      assertEquals(ledger.removable("spring", BOTH, 10), []);
      const first = proven(deliveryOf(ledger, "a", "freya"));
      ledger.record([first], NOW);
      assertEquals(ledger.removable("spring", BOTH, 10), []);
      ledger.record([proven(deliveryOf(ledger, "a", "nas"), null)], NOW);
      assertEquals(ledger.removable("spring", BOTH, 10), []);
      const second = proven(deliveryOf(ledger, "a", "nas"));
      ledger.record([second], NOW);
      const [found, ...rest] = ledger.removable("spring", BOTH, 10);
      assertEquals([found?.deliveries, rest], [[first, second], []]);
      assertEquals(found?.receipts.map((receipt) => receipt.level), ["checksum", "checksum"]);
      ledger.markRemoved([found!.versionId], NOW);
      assertEquals(ledger.removable("spring", BOTH, 10), []);
    },
  },
  {
    name: "removable() never offers without destinations, for one never admitted, failed, or while somebody is sending",
    run({ ledger }) {
      ledger.admit([anAdmission("a", {}, BOTH), anAdmission("b")], NOW);
      ledger.record([proven(deliveryOf(ledger, "a", "freya")), broken(deliveryOf(ledger, "b"))], NOW);
      assertEquals(ledger.removable("spring", [], 10), []);
      assertEquals(ledger.removable("spring", ["freya", "tape"], 10), []);
      ledger.claim(aClaim({ destination: "nas" }));
      assertEquals(ledger.removable("spring", ["freya"], 10), []);
    },
  },
  {
    name: "removable() offers those of the watched folder alone, and one by its id; isDelivered() tells of another job's",
    run({ ledger }) {
      const [a, b] = ledger.admit([anAdmission("a"), anAdmission("b")], NOW);
      assertEquals(ledger.isDelivered(a!.source, HASH, ["freya"]), false);
      ledger.record([proven(a!), proven(b!)], NOW);
      const watchPath = a!.source.absolutePath.slice(0, -"/a".length);
      const paths = (only: { watchPath: string; after?: number; versionId?: number }) =>
        ledger.removable("spring", ["freya"], 10, only).map(({ source }) => source.path);
      const [first] = ledger.removable("spring", ["freya"], 10);
      assertEquals(paths({ watchPath }), ["a", "b"]);
      assertEquals(paths({ watchPath: `${watchPath}/` }), ["a", "b"]);
      assertEquals(paths({ watchPath, after: first!.versionId }), ["b"]);
      assertEquals(paths({ watchPath, versionId: first!.versionId }), ["a"]);
      assertEquals([paths({ watchPath: watchPath.slice(0, -1) }), paths({ watchPath: `${watchPath}/x` })], [[], []]);
      assertEquals(ledger.isDelivered(a!.source, HASH, ["freya"]), true);
      assertEquals(ledger.isDelivered(a!.source, HASH, ["freya", "nas"]), false);
      assertEquals(ledger.isDelivered(a!.source, "f".repeat(64), ["freya"]), false);
      assertEquals(ledger.isDelivered({ ...a!.source, size: 77 }, HASH, ["freya"]), false);
    },
  },
  {
    name: "removable() never offers a file of which a destination has other bytes than the source",
    run({ ledger }) {
      const [freya, nas] = ledger.admit([anAdmission("a", {}, BOTH)], NOW);
      const other = "f".repeat(64);
      ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
      ledger.record([proven(nas!, other)], NOW, new Map([[nas!.id, { at: NOW, sha256: other }]]));
      assertEquals(ledger.removable("spring", BOTH, 10), []);
    },
  },
  {
    name: "removable() never offers an older version: the file at its path is another one",
    run({ ledger }) {
      const [older] = ledger.admit([anAdmission("a")], NOW);
      ledger.record([proven(older!)], NOW);
      ledger.admit([anAdmission("a", { size: 2 })], NOW);
      assertEquals(ledger.removable("spring", ["freya"], 10), []);
    },
  },
  {
    name: "rememberDevice(), rememberUnflushed(), setPaused(), rememberRun() and rememberLeftAside() survive a new start",
    run({ open }) {
      {
        using ledger = open();
        assertEquals([ledger.deviceOf("spring", "nas"), ledger.pausedBy("nas")], [null, null]);
        ledger.rememberDevice("spring", "nas", "1");
        ledger.rememberDevice("spring", "nas", "2");
        ledger.rememberUnflushed("spring", "nas", ["a/b.fits", "c.fits"]);
        ledger.rememberUnflushed("spring", "freya", ["a/b.fits"]);
        ledger.rememberUnflushed("spring", "freya", []);
        ledger.setPaused("nas", "ann");
        ledger.setPaused("freya", "ann");
        ledger.setPaused("freya", null);
        assertEquals(ledger.lastRun("spring"), null);
        ledger.rememberRun("spring", NOW);
        ledger.rememberRun("spring", NOW + 1);
        assertEquals(ledger.leftAside("spring"), null);
        for (const job of ["spring", "autumn"]) {
          ledger.rememberLeftAside(job, { firstStart: NOW, olderThan: NOW - 1, files: null });
        }
        ledger.rememberLeftAside("spring", { firstStart: NOW, olderThan: NOW - 1, files: 41_200 });
        ledger.rememberLeftAside("autumn", null);
      }
      using ledger = open();
      assertEquals([ledger.deviceOf("spring", "nas"), ledger.deviceOf("autumn", "nas")], ["2", null]);
      assertEquals(ledger.unflushed("spring", "nas"), ["a/b.fits", "c.fits"]);
      assertEquals([ledger.unflushed("spring", "freya"), ledger.unflushed("autumn", "nas")], [[], []]);
      assertEquals([ledger.pausedBy("nas"), ledger.pausedBy("freya")], ["ann", null]);
      assertEquals([ledger.lastRun("spring"), ledger.lastRun("autumn")], [NOW + 1, null]);
      const aside = [ledger.leftAside("spring"), ledger.leftAside("autumn")];
      assertEquals(aside, [{ firstStart: NOW, olderThan: NOW - 1, files: 41_200 }, null]);
    },
  },
  {
    name: "removable() never offers what still waits for a destination that is only taken out of the configuration",
    run({ ledger }) {
      ledger.admit([anAdmission("a", {}, BOTH)], NOW);
      ledger.record([proven(deliveryOf(ledger, "a", "freya"))], NOW);
      // nas is commented out: its delivery is shown as waiting "until it is put back, or a person gives it up".
      assertEquals(ledger.counts("spring", "nas").queued, 1);
      assertEquals(ledger.removable("spring", ["freya"], 10), []);
    },
  },
];
