/** What follows a delivery: removable sources (I4), mirrors, audits, the events kept for hooks, and what is remembered of destinations. */
import { assertEquals } from "@std/assert";
import type { AuditState } from "../../../src/ledger/history.ts";
import { type AuditFinding, NEW_MIRROR } from "../../../src/ledger/outbox_ledger.ts";
import { aClaim, anAdmission, broken, deliveryOf, HASH, NOW, proven } from "../makers.ts";
import { type Check, check } from "./check.ts";

const BOTH = ["freya", "nas"];

export const REMOVAL: readonly Check[] = [
  check("removable() waits for a compared hash at every destination", ({ ledger }) => {
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
  }),
  check(
    "removable() never offers without destinations, for one never admitted, failed, or while somebody is sending",
    ({ ledger }) => {
      ledger.admit([anAdmission("a", {}, BOTH), anAdmission("b")], NOW);
      ledger.record([proven(deliveryOf(ledger, "a", "freya")), broken(deliveryOf(ledger, "b"))], NOW);
      assertEquals(ledger.removable("spring", [], 10), []);
      assertEquals(ledger.removable("spring", ["freya", "tape"], 10), []);
      ledger.claim(aClaim({ destination: "nas" }));
      assertEquals(ledger.removable("spring", ["freya"], 10), []);
    },
  ),
  check(
    "removable() offers those of the watched folder alone, and one by its id; isDelivered() tells of another job's",
    ({ ledger }) => {
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
  ),
  check("removable() never offers a file of which a destination has other bytes than the source", ({ ledger }) => {
    const [freya, nas] = ledger.admit([anAdmission("a", {}, BOTH)], NOW);
    const other = "f".repeat(64);
    ledger.record([proven(freya!)], NOW, new Map([[freya!.id, { at: NOW, sha256: HASH }]]));
    ledger.record([proven(nas!, other)], NOW, new Map([[nas!.id, { at: NOW, sha256: other }]]));
    assertEquals(ledger.removable("spring", BOTH, 10), []);
  }),
  check("removable() never offers an older version: the file at its path is another one", ({ ledger }) => {
    const [older] = ledger.admit([anAdmission("a")], NOW);
    ledger.record([proven(older!)], NOW);
    ledger.admit([anAdmission("a", { size: 2 })], NOW);
    assertEquals(ledger.removable("spring", ["freya"], 10), []);
  }),
  check(
    "rememberDevice(), rememberUnflushed(), setPaused(), rememberRun() and rememberLeftAside() survive a new start",
    ({ open }) => {
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
  ),
  check(
    "removable() never offers what still waits for a destination that is only taken out of the configuration",
    ({ ledger }) => {
      ledger.admit([anAdmission("a", {}, BOTH)], NOW);
      ledger.record([proven(deliveryOf(ledger, "a", "freya"))], NOW);
      // nas is commented out: its delivery is shown as waiting "until it is put back, or a person gives it up".
      assertEquals(ledger.counts("spring", "nas").queued, 1);
      assertEquals(ledger.removable("spring", ["freya"], 10), []);
    },
  ),
];

const pathsOf = (rows: readonly { readonly path: string }[]) => rows.map(({ path }) => path);

export const MIRROR: readonly Check[] = [
  check("keptPaths() lists what was delivered to a mirror, page by page, in order", ({ ledger }) => {
    ledger.admit(["b", "a/x", "c", "failed"].map((path) => anAdmission(path, {}, ["nas"])), NOW);
    ledger.admit([anAdmission("elsewhere", {}, ["freya"])], NOW);
    for (const path of ["b", "a/x", "c"]) ledger.record([proven(deliveryOf(ledger, path, "nas"))], NOW);
    ledger.record([proven(deliveryOf(ledger, "elsewhere", "freya")), broken(deliveryOf(ledger, "failed", "nas"))], NOW);
    const first = ledger.keptPaths("spring", ["nas"], "", 2);
    assertEquals(pathsOf(first), ["a/x", "b"]);
    assertEquals(pathsOf(ledger.keptPaths("spring", ["nas"], "b", 2)), ["c"]);
    assertEquals(pathsOf(ledger.keptPaths("spring", ["nas", "freya"], "", 9)), ["a/x", "b", "c", "elsewhere"]);
    assertEquals(ledger.keptPaths("autumn", ["nas"], "", 9), []);
    assertEquals(first[0]?.absolutePath, deliveryOf(ledger, "a/x", "nas").source.absolutePath);
  }),
  check("keptDeliveries() has only the newest version, and nothing that was removed at the source by us", ({ ledger }) => {
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
  }),
  check(
    "keptPaths() lists a version whose newer one never arrived; not one that was replaced, and removed since",
    ({ ledger }) => {
      const newer = (path: string) => ledger.admit([anAdmission(path, { mtimeMs: NOW + 5 }, ["nas"])], NOW)[0]!;
      const kept = () => ledger.keptDeliveries("spring", "nas", ["a", "b"]).map(({ id }) => id);
      ledger.admit(["a", "b"].map((path) => anAdmission(path, {}, ["nas"])), NOW);
      const [a, b] = ["a", "b"].map((path) => deliveryOf(ledger, path, "nas"));
      ledger.record([proven(a!), proven(b!)], NOW);
      assertEquals(ledger.replacedBy(a!), null);
      const [lost, removed] = [newer("a"), newer("b")];
      assertEquals([pathsOf(ledger.keptPaths("spring", ["nas"], "", 9)), kept()], [[], []]);
      ledger.record([broken(lost), proven(removed)], NOW);
      assertEquals([pathsOf(ledger.keptPaths("spring", ["nas"], "", 9)), kept()], [["a", "b"], [a!.id, removed.id]]);
      assertEquals(ledger.replacedBy(removed)?.id, b!.id);
      ledger.recordRemovals([{ id: removed.id, message: "It is in the trash", hint: "" }], NOW);
      assertEquals([pathsOf(ledger.keptPaths("spring", ["nas"], "", 9)), kept()], [["a"], [a!.id]]);
    },
  ),
  check(
    "recordRemovals() leaves no trouble and no image in the night's sums; a file that comes back is queued again",
    ({ ledger }) => {
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
      assertEquals(pathsOf(ledger.keptPaths("spring", ["nas"], "", 9)), ["b"]);
      assertEquals(pathsOf(ledger.unknown("spring", [admission.source], ["nas"]).fresh), ["a"]);
      assertEquals(ledger.admit([admission], NOW + 2).map(({ id }) => id), [id]);
      assertEquals(ledger.counts("spring", "nas").queued, 1);
      assertEquals(ledger.nightTotals(admission.night).places[0]?.expected, 2);
    },
  ),
  check("rememberMirror() and the trash are kept for each job and destination", ({ ledger }) => {
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
  }),
];

const NONE = { equal: 0, unproven: 0, damaged: 0, vanished: 0, changed: 0, unreadable: 0 };
const STATE: AuditState = { begunAt: NOW, endedAt: null, goal: 3, found: NONE, sentAgain: 0, lookedTo: 0, lapAt: NOW + 10 };

function aFinding(id: number, changes: Partial<AuditFinding> = {}): AuditFinding {
  return { id, verdict: "equal", reason: "", then: "list", hint: "", ...changes };
}

export const AUDITS: readonly Check[] = [
  check(
    "auditTurn() gives what was delivered before, in order, page by page, to the end; a newer version takes the place of a former one",
    ({ ledger }) => {
      ledger.admit(["a", "b", "waits", "late"].map((path) => anAdmission(path, {}, ["nas", "freya"])), NOW);
      for (const path of ["a", "b"]) {
        ledger.record([proven(deliveryOf(ledger, path, "nas")), proven(deliveryOf(ledger, path))], NOW);
      }
      ledger.record([proven(deliveryOf(ledger, "late", "nas"), undefined, NOW + 10)], NOW + 10);
      const turn = (after: number, limit = 9) => ledger.auditTurn("spring", "nas", after, NOW + 10, limit);
      const paths = (rows: ReturnType<typeof turn>["rows"]) => rows.map(({ delivery: { source } }) => source.path);
      const first = turn(0, 1);
      assertEquals([paths(first.rows), first.lookedTo], [["a"], first.rows[0]!.delivery.id]);
      const rest = turn(first.lookedTo!);
      assertEquals([paths(rest.rows), rest.lookedTo], [["b"], null]);
      assertEquals(ledger.auditTurn("autumn", "nas", 0, NOW + 10, 9).rows, []);
      const [newer] = ledger.admit([anAdmission("a", { mtimeMs: NOW + 5 }, ["nas"])], NOW);
      ledger.record([proven(newer!)], NOW);
      assertEquals(turn(0).rows.map(({ delivery: { id } }) => id), [deliveryOf(ledger, "b", "nas").id, newer!.id]);
      const rivals = ledger.auditRivals("spring", "nas", ["a"], 0);
      assertEquals([rivals.rows.length, rivals.lookedTo], [2, null]);
    },
  ),
  check(
    "recordAudit() keeps where an audit is over a restart, fails or queues what is lost, and lists what is notable",
    ({ ledger, open }) => {
      assertEquals(ledger.auditOf("spring", "nas"), null);
      ledger.admit(["equal", "rotted", "gone", "again", "edited"].map((path) => anAdmission(path, {}, ["nas"])), NOW);
      const ids = ["equal", "rotted", "gone", "again", "edited"].map((path) => deliveryOf(ledger, path, "nas").id);
      for (const { delivery } of ledger.query({})) ledger.record([proven(delivery)], NOW);
      const [equal, rotted, gone, again, edited] = ids as [number, number, number, number, number];
      const state = { ...STATE, found: { ...NONE, equal: 1, damaged: 2, vanished: 1, changed: 1 }, lookedTo: edited };
      const queued = ledger.recordAudit("spring", "nas", state, [
        aFinding(equal),
        aFinding(rotted, { verdict: "damaged", reason: "It is damaged", then: "fail", hint: "Retry." }),
        aFinding(gone, { verdict: "vanished", reason: "It is not there", then: "fail" }),
        aFinding(again, { verdict: "damaged", reason: "It is damaged", then: "send_again" }),
        aFinding(edited, { verdict: "changed", reason: "Other bytes" }),
      ], NOW + 100);
      assertEquals(queued, [again]);
      using other = open();
      assertEquals(other.auditOf("spring", "nas"), { ...state, sentAgain: 1 });
      const stateOf = (id: number) => other.query({ ids: [id] })[0]!.delivery.state;
      const codeOf = (id: number) => {
        const state = stateOf(id);
        return state.state === "failed" ? state.failure.code : state.state;
      };
      assertEquals(ids.map(codeOf), ["delivered", "damaged", "vanished", "queued", "delivered"]);
      const counts = other.counts("spring", "nas");
      assertEquals([counts.failed, counts.damaged, counts.vanished, counts.delivered], [2, 1, 1, 2]);
      assertEquals(other.query({ trouble: true }).map(({ delivery: { id } }) => id), [rotted, gone]);
      const findings = other.auditFindings("spring", "nas", 9);
      assertEquals(findings.map(({ delivery: { id }, verdict }) => [id, verdict]), [
        [edited, "changed"],
        [gone, "vanished"],
        [rotted, "damaged"],
      ]);
      // A person queues it; what is delivered anew is no longer notable.
      assertEquals(other.requeue([rotted], NOW + 200), 1);
      other.record([proven(deliveryOf(other, "rotted", "nas"), undefined, NOW + 300)], NOW + 300);
      assertEquals(other.auditFindings("spring", "nas", 9).length, 2);
      assertEquals(other.acceptAudit("spring", "nas"), 1);
      assertEquals([other.auditFindings("spring", "nas", 9).length, codeOf(gone), other.counts("spring", "nas").failed], [
        0,
        "gone",
        0,
      ]);
      assertEquals(other.integrity(), []);
    },
  ),
  check("recordAudit() changes nothing that is not delivered any more", ({ ledger }) => {
    ledger.admit([anAdmission("a", {}, ["nas"])], NOW);
    const { id } = deliveryOf(ledger, "a", "nas");
    const lost = aFinding(id, { verdict: "vanished", reason: "It is not there", then: "fail" });
    ledger.recordAudit("spring", "nas", STATE, [lost], NOW);
    assertEquals(deliveryOf(ledger, "a", "nas").state.state, "queued");
    assertEquals(ledger.recordAudit("spring", "nas", STATE, [{ ...lost, then: "send_again" }], NOW), []);
    assertEquals(ledger.auditFindings("spring", "nas", 9), []);
  }),
];

export const HOOKS: readonly Check[] = [
  check("hookNotes() has what was delivered and what failed, in order, for whoever was there before", ({ ledger }) => {
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
  }),
  check("hookNotes() leaves out what nobody wants, and what is no trouble", ({ ledger }) => {
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
  }),
  check("advanceHook() survives a new start, never goes back, and forgets what every hook was called for", ({ ledger, open }) => {
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
  }),
  check("keepHooks() lets a new hook begin with what comes now, and forgets those that are gone", ({ ledger }) => {
    ledger.keepForHooks(["delivered"]);
    ledger.keepHooks(["old"]);
    const made = ledger.admit(["a", "b"].map((name) => anAdmission(name)), NOW);
    ledger.record([proven(made[0]!)], NOW);
    ledger.keepHooks(["old", "new"]);
    ledger.record([proven(made[1]!)], NOW);
    assertEquals([ledger.hookBacklog("old"), ledger.hookBacklog("new")], [2, 1]);
    ledger.keepHooks([]);
    assertEquals(ledger.hookNotes(0, 10), []);
  }),
  check("boundHookNotes() forgets the oldest and counts what was never told", ({ ledger }) => {
    ledger.keepForHooks(["delivered"]);
    ledger.keepHooks(["one"]);
    const made = ledger.admit(["a", "b", "c", "d"].map((name) => anAdmission(name)), NOW);
    ledger.record(made.map((delivery) => proven(delivery)), NOW);
    assertEquals([ledger.boundHookNotes(4), ledger.boundHookNotes(1), ledger.hookBacklog("one")], [0, 3, 1]);
  }),
];
