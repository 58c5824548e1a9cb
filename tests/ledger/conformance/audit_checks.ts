/** What audits know and remember. */
import { assertEquals } from "@std/assert";
import type { AuditState } from "../../../src/ledger/history.ts";
import type { AuditFinding } from "../../../src/ledger/outbox_ledger.ts";
import { anAdmission, deliveryOf, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

const NONE = { equal: 0, unproven: 0, damaged: 0, vanished: 0, changed: 0, unreadable: 0 };
const STATE: AuditState = { begunAt: NOW, endedAt: null, goal: 3, found: NONE, sentAgain: 0, lookedTo: 0, lapAt: NOW + 10 };

function aFinding(id: number, changes: Partial<AuditFinding> = {}): AuditFinding {
  return { id, verdict: "equal", reason: "", then: "list", hint: "", ...changes };
}

export const AUDITS: readonly Check[] = [
  {
    name:
      "auditTurn() gives what was delivered before, in order, page by page, to the end; a newer version takes the place of a former one",
    run({ ledger }) {
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
  },
  {
    name: "recordAudit() keeps where an audit is over a restart, fails or queues what is lost, and lists what is notable",
    run({ ledger, open }) {
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
  },
  {
    name: "recordAudit() changes nothing that is not delivered any more",
    run({ ledger }) {
      ledger.admit([anAdmission("a", {}, ["nas"])], NOW);
      const { id } = deliveryOf(ledger, "a", "nas");
      const lost = aFinding(id, { verdict: "vanished", reason: "It is not there", then: "fail" });
      ledger.recordAudit("spring", "nas", STATE, [lost], NOW);
      assertEquals(deliveryOf(ledger, "a", "nas").state.state, "queued");
      assertEquals(ledger.recordAudit("spring", "nas", STATE, [{ ...lost, then: "send_again" }], NOW), []);
      assertEquals(ledger.auditFindings("spring", "nas", 9), []);
    },
  },
];
