/** Admission: which files are new, what supersedes what, what a changed ctime means; and which bytes are read again. */
import { assertEquals } from "@std/assert";
import type { Reading } from "../../../src/ledger/intake_ledger.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import {
  aClaim,
  anAdmission,
  broken,
  deliveryOf,
  HASH,
  hashOf,
  later,
  NOW,
  proven,
  someFacts,
  states,
  wasRead,
} from "../makers.ts";
import { type Check, check } from "./check.ts";

export const INTAKE: readonly Check[] = [
  check(
    "unknown() asks for the hash of what only lies elsewhere on a disk, and recheck() knows it again by its bytes",
    ({ ledger }) => {
      const [first] = ledger.admit([anAdmission("a")], NOW);
      const moved = anAdmission("a", { identity: "99:7", ctimeMs: NOW });
      const asked = () => ledger.unknown("spring", [moved.source], ["freya"]);
      // Without a hash it can only be sent again.
      assertEquals([asked().fresh.length, asked().recheck.length], [1, 0]);
      ledger.record([proven(first!)], NOW, new Map([[first!.id, { at: NOW, sha256: HASH }]]));
      assertEquals([asked().fresh.length, asked().recheck.length], [0, 1]);
      assertEquals(ledger.recheck(moved, HASH, NOW), []);
      assertEquals([asked().fresh, asked().recheck, ledger.query({}).length], [[], [], 1]);
      assertEquals(ledger.query({})[0]?.delivery.source.identity, "99:7");
      const other = anAdmission("a", { identity: "99:8", ctimeMs: NOW });
      assertEquals(ledger.recheck(other, "f".repeat(64), NOW).length, 1);
      assertEquals(ledger.query({}).length, 2);
    },
  ),
  check("unknown() tells what is not admitted for every destination", ({ ledger }) => {
    ledger.admit([anAdmission("a.fits"), anAdmission("b.fits", {}, ["freya", "nas"])], NOW);
    const files = ["a.fits", "b.fits", "c.fits"].map((path) => someFacts(path));
    assertEquals(ledger.unknown("spring", files, ["freya"]), { fresh: [files[2]!], recheck: [] });
    assertEquals(ledger.unknown("spring", files, ["freya", "nas"]).fresh, [files[0]!, files[2]!]);
    assertEquals(ledger.unknown("autumn", files, ["freya"]).fresh, files);
  }),
  check("unknown() sees a changed size, mtime or identity as fresh, a changed ctime alone as to be rechecked", ({ ledger }) => {
    ledger.admit([anAdmission("a.fits")], NOW);
    const same = someFacts("a.fits");
    for (const change of [{ size: 1001 }, { mtimeMs: NOW }, { identity: "1:2" }]) {
      assertEquals(ledger.unknown("spring", [{ ...same, ...change }], ["freya"]).fresh.length, 1);
    }
    const touched = { ...same, ctimeMs: NOW };
    assertEquals(ledger.unknown("spring", [touched], ["freya"]), { fresh: [], recheck: [touched] });
    assertEquals(ledger.unknown("spring", [same], ["freya"]), { fresh: [], recheck: [] });
  }),
  check("admit() is idempotent, also for one more destination", ({ ledger }) => {
    const [first] = ledger.admit([anAdmission("a.fits")], NOW);
    assertEquals(ledger.admit([anAdmission("a.fits")], NOW + 1), []);
    const [second, ...rest] = ledger.admit([anAdmission("a.fits", {}, ["freya", "nas"])], NOW + 2);
    assertEquals([second?.destination, rest], ["nas", []]);
    assertEquals(first, ledger.query({ destination: "freya" })[0]?.delivery);
    assertEquals(second, ledger.query({ destination: "nas" })[0]?.delivery);
  }),
  check("admit() keeps exact times, hostile names and header cards", ({ ledger }) => {
    for (
      const path of [
        "-rf",
        "$(touch x)",
        "a'b\"c\n\x1b[31m.fits",
        "ünï/ñ 星.fits",
        "é".repeat(120),
        "'; DROP TABLE deliveries; --",
      ]
    ) {
      const admission = {
        ...anAdmission(path, { mtimeMs: NOW + 0.123 }),
        cards: { OBJECT: "M 31", EXPTIME: 60.5, SIMPLE: true },
      };
      const [admitted] = ledger.admit([admission], NOW);
      const [row] = ledger.query({ ids: [admitted!.id] });
      assertEquals(row?.delivery, admitted);
      assertEquals(row?.delivery.source, admission.source);
      assertEquals(row?.cards, admission.cards);
      assertEquals(ledger.unknown("spring", [admission.source], ["freya"]).fresh, []);
    }
  }),
  check("admit() of a new version gives up what waits of the older one, and says so", ({ ledger }) => {
    ledger.admit([anAdmission("a.fits", {}, ["freya", "nas", "tape"])], NOW);
    ledger.record([proven(deliveryOf(ledger, "a.fits", "nas"))], NOW);
    ledger.record([later(deliveryOf(ledger, "a.fits", "tape"), NOW + 1)], NOW);
    ledger.admit([anAdmission("a.fits", { size: 2000 }, ["freya", "nas", "tape"])], NOW + 1);
    assertEquals(states(ledger), [
      "a.fits → freya failed superseded",
      "a.fits → nas delivered",
      "a.fits → tape failed superseded",
      "a.fits → freya queued",
      "a.fits → nas queued",
      "a.fits → tape queued",
    ]);
    const { state } = ledger.query({ limit: 1 })[0]!.delivery;
    assertEquals(state.state === "failed" && state.failure.message.includes("newer version"), true);
    assertEquals(ledger.counts().failed, 0);
    assertEquals(ledger.query({ trouble: true }), []);
  }),
  check("admit() leaves an older version alone that is being sent, or that goes elsewhere", ({ ledger }) => {
    ledger.admit([anAdmission("a.fits", {}, ["freya", "old"])], NOW);
    ledger.claim(aClaim());
    ledger.admit([anAdmission("a.fits", { size: 2000 })], NOW);
    assertEquals(states(ledger), ["a.fits → freya sending", "a.fits → old queued", "a.fits → freya queued"]);
  }),
  check("admit() admits a file that came back to an earlier content as a new version", ({ ledger }) => {
    ledger.admit([anAdmission("a.fits", { size: 1 })], NOW);
    ledger.admit([anAdmission("a.fits", { size: 2 })], NOW);
    assertEquals(ledger.unknown("spring", [someFacts("a.fits", { size: 1 })], ["freya"]).fresh.length, 1);
    ledger.admit([anAdmission("a.fits", { size: 1 })], NOW);
    assertEquals(ledger.query({ states: ["queued"] }).map((row) => row.delivery.source.size), [1]);
  }),
  check("admit() revives a delivery that failed because the source was gone", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    ledger.record([broken(delivery!, "source_gone")], NOW);
    assertEquals(ledger.unknown("spring", [someFacts("a.fits")], ["freya"]).fresh.length, 1);
    assertEquals(ledger.admit([anAdmission("a.fits")], NOW + 5), [delivery!]);
    assertEquals(ledger.counts(), { queued: 1, sending: 0, deferred: 0, delivered: 0, failed: 0 });
    ledger.record([broken(delivery!, "source_corrupt")], NOW);
    assertEquals(ledger.unknown("spring", [someFacts("a.fits")], ["freya"]).fresh, []);
  }),
  check("admit() keeps the target of the first admission: it is frozen", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    ledger.record([broken(delivery!, "source_gone")], NOW);
    const moved = { ...anAdmission("a.fits"), targets: [{ destination: "freya", target: "elsewhere/a.fits", method: "scp" }] };
    assertEquals(ledger.admit([moved], NOW).map(({ target, method }) => [target, method]), [["a.fits", "scp"]]);
  }),
  check("recheck() remembers the new ctime of the same content", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    wasRead(ledger, delivery!, HASH);
    ledger.record([proven(delivery!)], NOW);
    const touched = anAdmission("a.fits", { ctimeMs: NOW });
    assertEquals(ledger.recheck(touched, HASH, NOW), []);
    assertEquals(ledger.unknown("spring", [touched.source], ["freya"]), { fresh: [], recheck: [] });
    assertEquals(ledger.counts().delivered, 1);
  }),
  check("recheck() admits other content under the same size and mtime as a new version", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    wasRead(ledger, delivery!, HASH);
    ledger.record([proven(delivery!)], NOW);
    const other = "f".repeat(64);
    const [added, ...rest] = ledger.recheck(anAdmission("a.fits", { ctimeMs: NOW }), other, NOW);
    assertEquals(rest, []);
    assertEquals([hashOf(ledger, delivery!), hashOf(ledger, added!)], [HASH, other]);
    assertEquals(states(ledger), ["a.fits → freya delivered", "a.fits → freya queued"]);
    assertEquals(ledger.integrity(), []);
  }),
  check("admit() revives what was given up for a newer version that never came", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    ledger.record([broken(delivery!, "superseded")], NOW);
    assertEquals(ledger.unknown("spring", [someFacts("a.fits")], ["freya"]).fresh.length, 1);
    assertEquals(ledger.admit([anAdmission("a.fits")], NOW + 5), [delivery!]);
  }),
  check("recheck() admits a new version while one destination holds other bytes, whatever the others were sent", ({ ledger }) => {
    const [freya, nas] = ledger.admit([anAdmission("a.fits", {}, ["freya", "nas"])], NOW);
    const other = "f".repeat(64);
    ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
    // Rewritten under the same time, and sent like that to the second destination.
    ledger.record([proven(nas!, other)], NOW, new Map([[nas!.id, { at: NOW, sha256: other }]]));
    const touched = anAdmission("a.fits", { ctimeMs: NOW }, ["freya", "nas"]);
    assertEquals(ledger.recheck(touched, other, NOW).map(({ destination }) => destination), ["freya", "nas"]);
  }),
  check("record() has a file compared anew that was sent as it was before its content was compared", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    const other = "f".repeat(64);
    const touched = anAdmission("a.fits", { ctimeMs: NOW });
    // Nothing is delivered yet, so the ledger only learns what the file holds now.
    assertEquals(ledger.recheck(touched, other, NOW), []);
    assertEquals(ledger.record([proven(delivery!)], NOW, new Map([[delivery!.id, { at: NOW, sha256: HASH }]])), true);
    assertEquals(ledger.unknown("spring", [touched.source], ["freya"]).recheck, [touched.source]);
    assertEquals(ledger.removable("spring", ["freya"], 10), []);
    const [again] = ledger.recheck(touched, other, NOW);
    assertEquals(ledger.record([proven(again!, other)], NOW), false);
    assertEquals(ledger.unknown("spring", [touched.source], ["freya"]), { fresh: [], recheck: [] });
    assertEquals(ledger.query({}).map(({ sha256 }) => sha256), [HASH, other]);
  }),
  check("recheck() corrects a hash that was misread, where everything delivered has the bytes of now", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a.fits")], NOW);
    wasRead(ledger, delivery!, "f".repeat(64));
    assertEquals(ledger.record([proven(delivery!)], NOW, new Map([[delivery!.id, { at: NOW, sha256: HASH }]])), true);
    const { source } = anAdmission("a.fits");
    assertEquals(ledger.unknown("spring", [source], ["freya"]).recheck, [source]);
    assertEquals(ledger.recheck(anAdmission("a.fits"), HASH, NOW), []);
    assertEquals([hashOf(ledger, delivery!), ledger.removable("spring", ["freya"], 10).length], [HASH, 1]);
  }),
  check("admit() gives up nothing for a file of the same name in another watched folder", ({ ledger }) => {
    const before = anAdmission("light_0001.fits", { identity: "1:1" });
    const after = anAdmission("light_0001.fits", { identity: "1:2" });
    // nas was away all night; in the evening the job's watch_path is changed to the folder of the new night.
    ledger.admit([{ ...before, source: { ...before.source, absolutePath: "/data/monday/light_0001.fits" } }], NOW);
    ledger.admit([{ ...after, source: { ...after.source, absolutePath: "/data/tuesday/light_0001.fits" } }], NOW);
    assertEquals(states(ledger), ["light_0001.fits → freya queued", "light_0001.fits → freya queued"]);
  }),
];

const OTHER = "f".repeat(64);
const RACY = { racyUntil: NOW + 1_000 };
const DUE = NOW + 1_000;
const dueNow = (ledger: Ledger) => ledger.dueRereads("spring", DUE, 10);
const duePaths = (ledger: Ledger) => dueNow(ledger).map(({ facts }) => facts.path);
const recordAll = (ledger: Ledger, found: Reading) => ledger.recordRereads(dueNow(ledger).map((one) => ({ ...one, found })));

export const REREADS: readonly Check[] = [
  check("dueRereads() has what was admitted racy when its time has come, also for another process", ({ open }) => {
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
    const [reread, ...rest] = dueNow(ledger);
    const { job: _, absolutePath: __, ...facts } = anAdmission("b").source;
    assertEquals([reread?.facts, reread?.wasRead, rest], [facts, true, []]);
  }),
  check("recordRereads() is content with the same bytes, and has other bytes compared", ({ ledger }) => {
    const deliveries = ledger.admit([{ ...anAdmission("a"), ...RACY }, { ...anAdmission("b"), ...RACY }], NOW);
    ledger.record(
      deliveries.map((one) => proven(one)),
      NOW,
      new Map(deliveries.map(({ id }) => [id, { at: NOW, sha256: HASH }])),
    );
    const [a, b] = dueNow(ledger);
    assertEquals(
      ledger.recordRereads([{ ...a!, found: { is: "read", sha256: HASH } }, { ...b!, found: { is: "read", sha256: OTHER } }]),
      ["b"],
    );
    const { source } = anAdmission("b");
    assertEquals(ledger.unknown("spring", [anAdmission("a").source, source], ["freya"]).recheck, [source]);
    assertEquals([duePaths(ledger), ledger.nextReread("spring")], [[], null]);
  }),
  check("recordRereads() does not trust a hash that was remembered after other bytes had arrived elsewhere", ({ ledger }) => {
    const [freya, nas] = ledger.admit([{ ...anAdmission("a", {}, ["freya", "nas"]), ...RACY }], NOW);
    ledger.record([proven(freya!)], NOW);
    wasRead(ledger, nas!, OTHER);
    assertEquals(recordAll(ledger, { is: "read", sha256: OTHER }), ["a"]);
  }),
  check("record() has a file compared anew whose bytes are others by now than those that arrived elsewhere", ({ ledger }) => {
    const [freya, nas] = ledger.admit([{ ...anAdmission("a", {}, ["freya", "nas"]), ...RACY }], NOW);
    ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
    // It failed there, after the rewritten file was read late enough to be certain.
    assertEquals(ledger.record([broken(nas!, "mismatch")], NOW, new Map([[nas!.id, { at: DUE, sha256: OTHER }]])), true);
    assertEquals(ledger.unknown("spring", [anAdmission("a").source], ["freya"]).recheck.length, 1);
  }),
  check("record() needs no second reading of what was read when it was not racy any more", ({ ledger }) => {
    const [early, late] = ledger.admit([{ ...anAdmission("early"), ...RACY }, { ...anAdmission("late"), ...RACY }], NOW);
    const reads = new Map([[early!.id, { at: DUE - 1, sha256: HASH }], [late!.id, { at: DUE, sha256: HASH }]]);
    ledger.record([proven(early!), proven(late!)], NOW, reads);
    assertEquals(duePaths(ledger), ["early"]);
  }),
  check("record() of a delivery whose sizes alone were compared makes nobody's bytes certain", ({ ledger }) => {
    const [freya, nas] = ledger.admit([{ ...anAdmission("a", {}, ["freya", "nas"]), ...RACY }], NOW);
    ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
    ledger.record([proven(nas!, null)], DUE);
    assertEquals(dueNow(ledger).map(({ wasRead }) => wasRead), [true]);
  }),
  check("dueRereads() waits for the first reader of a file, and says of one that nobody has read that it is so", ({ ledger }) => {
    ledger.admit([{ ...anAdmission("a"), ...RACY }], NOW);
    assertEquals(dueNow(ledger).map(({ wasRead }) => wasRead), [false]);
    ledger.claim(aClaim());
    assertEquals(dueNow(ledger), []);
  }),
  check("requestRereads() asks for the newest version, also while it is being read again", ({ ledger }) => {
    ledger.admit([anAdmission("a")], NOW);
    ledger.admit([anAdmission("a", { size: 2 }), { ...anAdmission("racy"), racyUntil: NOW + 9_000 }], NOW);
    ledger.requestRereads("spring", ["a", "racy", "never seen"], DUE);
    const reading = dueNow(ledger);
    assertEquals(reading.map(({ facts: { path, size } }) => [path, size]), [["a", 2]]);
    // Heard of in the same millisecond, while it is read.
    ledger.requestRereads("spring", ["a"], DUE);
    ledger.recordRereads(reading.map((one) => ({ ...one, found: { is: "read", sha256: HASH } })));
    assertEquals(ledger.dueRereads("spring", DUE + 1, 10).map(({ facts }) => facts.path), ["a"]);
  }),
  check("a newer version ends the wait for the bytes of the former", ({ ledger }) => {
    ledger.admit([{ ...anAdmission("a"), ...RACY }], NOW);
    ledger.admit([anAdmission("a", { size: 2 })], NOW);
    assertEquals([duePaths(ledger), ledger.nextReread("spring")], [[], null]);
  }),
  check("removable() never offers a file whose bytes may have been rewritten without a trace", ({ ledger }) => {
    const [a] = ledger.admit([{ ...anAdmission("a"), ...RACY }], NOW);
    ledger.record([proven(a!)], NOW, new Map([[a!.id, { at: NOW, sha256: HASH }]]));
    assertEquals(ledger.removable("spring", ["freya"], 10), []);
    recordAll(ledger, { is: "read", sha256: HASH });
    assertEquals(ledger.removable("spring", ["freya"], 10).length, 1);
  }),
  check("recheck() remembers until when the compared file was racy", ({ ledger }) => {
    const [a] = ledger.admit([anAdmission("a")], NOW);
    ledger.record([proven(a!)], NOW);
    ledger.recheck({ ...anAdmission("a", { ctimeMs: NOW }), ...RACY }, HASH, NOW);
    assertEquals(duePaths(ledger), ["a"]);
  }),
];
