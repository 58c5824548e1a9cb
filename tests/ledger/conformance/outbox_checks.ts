/** The queue: what is claimed, recorded, due and left, and queued again; and that a receipt never changes. */
import { assertEquals, assertThrows } from "@std/assert";
import { deliver, type Delivery, park, send } from "../../../src/domain/delivery.ts";
import { verify } from "../../../src/domain/receipt.ts";
import type { History } from "../../../src/ledger/history.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import {
  aClaim,
  aFailure,
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

const paths = (deliveries: readonly { source: { path: string } }[]) => deliveries.map(({ source }) => source.path);

export const OUTBOX: readonly Check[] = [
  check("claim() hands out by age of the file, either way, and never twice", ({ ledger }) => {
    ledger.admit(["b", "c", "a"].map((path, age) => anAdmission(path, { mtimeMs: NOW - age })), NOW);
    assertEquals(paths(ledger.claim(aClaim({ maxFiles: 1 }))), ["a"]);
    assertEquals(paths(ledger.claim(aClaim({ maxFiles: 1, order: "newest_first" }))), ["b"]);
    assertEquals(paths(ledger.claim(aClaim())), ["c"]);
    assertEquals(ledger.claim(aClaim()), []);
  }),
  check("claim() keeps to its files and bytes, but hands out at least one file", ({ ledger }) => {
    ledger.admit(["a", "b", "c", "d"].map((path, k) => anAdmission(path, { size: 100, mtimeMs: k })), NOW);
    assertEquals(paths(ledger.claim(aClaim({ maxBytes: 10 }))), ["a"]);
    assertEquals(paths(ledger.claim(aClaim({ maxBytes: 200 }))), ["b", "c"]);
    assertEquals(ledger.claim(aClaim({ maxFiles: 0 })), []);
  }),
  check("claim() stores what it returns: state sending with its attempt", ({ ledger }) => {
    const [admitted] = ledger.admit([anAdmission("a")], NOW);
    assertEquals(ledger.claim(aClaim({ attempt: "x7" })), [send(admitted!, "x7")]);
    assertEquals(ledger.inFlight("spring", "freya"), [send(admitted!, "x7")]);
    assertEquals(ledger.inFlight("spring", "nas"), []);
  }),
  check("claim() includes deferred deliveries when they are due, in order with the queued ones", ({ ledger }) => {
    ledger.admit(["a", "b", "c"].map((path, k) => anAdmission(path, { mtimeMs: k })), NOW);
    ledger.record([later(deliveryOf(ledger, "b"), NOW + 10)], NOW);
    assertEquals(paths(ledger.claim(aClaim({ now: NOW + 9, maxFiles: 1 }))), ["a"]);
    assertEquals(paths(ledger.claim(aClaim({ now: NOW + 10 }))), ["b", "c"]);
    assertEquals(ledger.inFlight("spring", "freya").map(({ attempts }) => attempts), [0, 1, 0]);
  }),
  check("claim() waits with a new version while an older one is being sent to the same destination", ({ ledger }) => {
    ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW);
    const [older] = ledger.claim(aClaim());
    ledger.admit([anAdmission("a", { size: 2, mtimeMs: NOW }, ["freya", "nas"]), anAdmission("z", { mtimeMs: NOW + 1 })], NOW);
    assertEquals(paths(ledger.claim(aClaim({ maxFiles: 1 }))), ["z"]);
    assertEquals(ledger.nextDue("spring", "freya"), null);
    assertEquals(paths(ledger.claim(aClaim({ destination: "nas" }))), ["a"]);
    ledger.record([proven(older!)], NOW);
    assertEquals(ledger.nextDue("spring", "freya"), 0);
    assertEquals(ledger.claim(aClaim()).map(({ source }) => source.size), [2]);
  }),
  check("record() never puts an older version back into the queue behind a newer one", ({ ledger }) => {
    ledger.admit([anAdmission("a"), anAdmission("b")], NOW);
    const [a, b] = ledger.claim(aClaim());
    ledger.admit([anAdmission("a", { size: 2 }), anAdmission("b", { size: 2 })], NOW);
    ledger.record([later(a!, NOW + 5), park(b!)], NOW);
    assertEquals(states(ledger).slice(0, 2), ["a → freya failed superseded", "b → freya failed superseded"]);
    assertEquals(ledger.claim(aClaim({ now: NOW + 10 })).map(({ source }) => source.size), [2, 2]);
  }),
  check("record() stores every state as it is, and the method that did it", ({ ledger }) => {
    const [first] = ledger.admit([anAdmission("a")], NOW);
    const claimed = { ...ledger.claim(aClaim())[0]!, method: "sftp" };
    for (
      const delivery of [
        later(claimed, NOW + 1),
        broken(claimed),
        claimed,
        proven(claimed),
        proven(claimed, null),
        { ...park(claimed), attempts: 0 },
      ]
    ) {
      ledger.record([delivery], NOW + 7);
      const [row] = ledger.query({});
      assertEquals(row?.delivery, delivery);
      assertEquals(row?.deliveredAt, delivery.state.state === "delivered" ? NOW + 7 : null);
    }
    assertEquals(first?.method, "rsync");
  }),
  check("record() of many stores each state, and compares each with the bytes of its own version", ({ ledger }) => {
    const names = ["a", "b", "c", "d", "e"];
    ledger.admit(names.map((path) => anAdmission(path, {}, ["freya", "nas"])), NOW);
    const other = "f".repeat(64);
    const reads = (sha256: string) => (deliveries: readonly Delivery[]) =>
      new Map(deliveries.map(({ id }) => [id, { at: NOW, sha256 }]));
    const first = ledger.claim(aClaim());
    assertEquals(ledger.record(first.map((one) => proven(one)), NOW, reads(HASH)(first)), false);
    const [a, b, c, d, e] = ledger.claim(aClaim({ destination: "nas" }));
    const second = [proven(a!), proven(b!, other), later(c!, NOW + 9), broken(d!), park(e!)];
    assertEquals(ledger.record(second, NOW + 1, reads(other)([c!])), true);
    const listed = ledger.unknown("spring", names.map((path) => someFacts(path)), ["freya", "nas"]);
    assertEquals(listed.recheck.map(({ path }) => path), ["b", "c"]);
    const outcome = ({ id, state, attempts, method }: Delivery) => ({ id, state, attempts, method });
    assertEquals(ledger.query({ destination: "nas" }).map(({ delivery }) => outcome(delivery)), second.map(outcome));
    assertEquals(names.map((path) => hashOf(ledger, deliveryOf(ledger, path))), [HASH, HASH, other, HASH, HASH]);
  }),
  check("claim() that ends before the queue does leaves the rest for others, also for writers", ({ ledger }) => {
    ledger.admit(["a", "b", "c", "d"].map((path, k) => anAdmission(path, { size: 100, mtimeMs: k })), NOW);
    const attempts = Array.from({ length: 5 }, (_, k) => paths(ledger.claim(aClaim({ maxBytes: 150, attempt: `x${k}` }))));
    assertEquals(attempts, [["a"], ["b"], ["c"], ["d"], []]);
    ledger.admit([anAdmission("e", { mtimeMs: 9 })], NOW);
    assertEquals(paths(ledger.claim(aClaim())), ["e"]);
  }),
  check("record() is all or nothing", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a")], NOW);
    assertThrows(
      () => ledger.record([proven(delivery!), { ...proven(delivery!), id: 99 }], NOW),
      Error,
      "no delivery with the id 99",
    );
    assertEquals(states(ledger), ["a → freya queued"]);
  }),
  check("record() refuses a delivered state without its receipt", ({ ledger }) => {
    const [delivery] = ledger.admit([anAdmission("a")], NOW);
    const digest = { bytes: 1, sha256: HASH };
    const receipt = verify(digest, digest, "surely" as "checksum", NOW);
    assertThrows(() => ledger.record([{ ...delivery!, state: { state: "delivered", receipt } }], NOW), Error, "CHECK");
    assertEquals(states(ledger), ["a → freya queued"]);
  }),
  check("nextDue() and makeDue() tell and change when to come again", ({ ledger }) => {
    assertEquals(ledger.nextDue("spring", "freya"), null);
    const [a, b] = ledger.admit([anAdmission("a"), anAdmission("b")], NOW);
    assertEquals(ledger.nextDue("spring", "freya"), 0);
    ledger.record([later(a!, NOW + 20), later(b!, NOW + 10)], NOW);
    assertEquals(ledger.nextDue("spring", "freya"), NOW + 10);
    assertEquals(ledger.nextDue("spring", "nas"), null);
    ledger.makeDue("spring", "nas");
    assertEquals(ledger.claim(aClaim()), []);
    ledger.makeDue("spring", "freya");
    assertEquals(paths(ledger.claim(aClaim())), ["a", "b"]);
  }),
  check("record() stores the hashes read meanwhile", ({ ledger }) => {
    const [a, b] = ledger.admit([anAdmission("a"), anAdmission("b")], NOW);
    ledger.record([later(a!, NOW + 1), later(b!, NOW + 1)], NOW, new Map([[a!.id, { at: NOW, sha256: HASH }]]));
    assertEquals([...ledger.hashesOf([a!, b!])], [[a!.id, HASH]]);
  }),
  check(
    "record() asks for a recheck of a file that was delivered with other bytes than it was last seen with, and says so",
    ({ ledger }) => {
      const [freya, nas] = ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW);
      const open = () => ledger.unknown("spring", [someFacts("a")], ["freya", "nas"]).recheck.length;
      assertEquals([ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]])), open()], [false, 0]);
      assertEquals([ledger.record([proven(nas!, "f".repeat(64))], NOW), open()], [true, 1]);
    },
  ),
  check("hashesOf() is one hash per version, for all its destinations", ({ ledger }) => {
    const [a, b] = ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW);
    assertEquals([...ledger.hashesOf([a!, b!])], []);
    wasRead(ledger, a!, HASH);
    assertEquals([...ledger.hashesOf([b!, a!]).values(), ledger.query({})[0]?.sha256], [HASH, HASH, HASH]);
  }),
  check("requeue() revives failed deliveries with their attempts forgotten, but none that is no trouble", ({ ledger }) => {
    const [a, b, c, d] = ledger.admit(["a", "b", "c", "d"].map((path) => anAdmission(path)), NOW);
    ledger.record([broken(a!), broken(b!, "skipped"), later(c!, NOW + 9), proven(d!)], NOW);
    assertEquals(ledger.requeue(null, NOW), 1);
    assertEquals(deliveryOf(ledger, "a"), a!);
    assertEquals(ledger.requeue([b!.id, c!.id, d!.id, 4711], NOW), 2);
    assertEquals(ledger.counts(), { queued: 3, sending: 0, deferred: 0, delivered: 1, failed: 0 });
    assertEquals(deliveryOf(ledger, "c").attempts, 0);
  }),
  check("requeue() leaves a delivery whose file has a newer version", ({ ledger }) => {
    const [older] = ledger.admit([anAdmission("a")], NOW);
    ledger.record([broken(older!)], NOW);
    ledger.admit([anAdmission("a", { size: 2 })], NOW);
    assertEquals([ledger.requeue(null, NOW), ledger.requeue([older!.id], NOW)], [0, 0]);
    assertEquals(states(ledger), ["a → freya failed bad_name", "a → freya queued"]);
    assertEquals(aFailure("bad_name").next, "never");
  }),
  check("parts() lists what was left of deliveries that are not finished, until they are recorded without", ({ open }) => {
    const left = (ledger: Ledger) =>
      ledger.parts("spring", "freya").map(({ delivery, staged }) => [delivery.source.path, staged]);
    const all = ["a", "b", "c", "d"] as const;
    {
      using ledger = open();
      ledger.admit([...all.map((path) => anAdmission(path)), anAdmission("a", {}, ["nas"], "other")], NOW);
      const [a, b, c, d] = ledger.claim(aClaim());
      const names = new Map([a!, b!, c!, d!].map(({ id, source }) => [id, `.image-transfer-x/a1/${source.path}`]));
      ledger.record([park(a!), later(b!, NOW + 9), park(c!), park(d!)], NOW, new Map(), names);
      ledger.claim(aClaim({ maxFiles: 1 }));
    }
    using ledger = open();
    assertEquals(left(ledger), all.map((path) => [path, `.image-transfer-x/a1/${path}`]));
    ledger.admit([anAdmission("d", { size: 2 })], NOW);
    ledger.record([proven(deliveryOf(ledger, "b"))], NOW);
    ledger.record([park(deliveryOf(ledger, "c"))], NOW);
    assertEquals(left(ledger), [["a", ".image-transfer-x/a1/a"]]);
  }),
];

export const REQUEUE: readonly Check[] = [
  check("sendAgain() queues what is delivered, its receipt removed, and nothing else", ({ ledger }) => {
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
  }),
  check("sendAgain() never sends an old version after a newer one", ({ ledger }) => {
    ledger.admit([anAdmission("a", {}, ["freya", "nas"])], NOW);
    const old = ["freya", "nas"].map((destination) => deliveryOf(ledger, "a", destination));
    ledger.record(old.map((delivery) => proven(delivery)), NOW);
    ledger.admit([anAdmission("a", { size: 2000 })], NOW + 1);
    assertEquals(ledger.sendAgain(old.map(({ id }) => id), NOW + 2), [old[1]!.id]);
  }),
  check(
    "markGone() keeps of delivered ones only when they were, counts them separately, and sendAgain() queues them",
    ({ ledger }) => {
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
  ),
];

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
