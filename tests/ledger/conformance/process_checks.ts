/** Several processes at one ledger, one of them killed, or keeping it locked. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { park } from "../../../src/domain/delivery.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { aClaim, anAdmission, deliveryOf, NOW, proven, states } from "../makers.ts";
import { type Check, check } from "./check.ts";
import { startProcess } from "./process.ts";

export const PROCESSES: readonly Check[] = [
  check(
    "what a call returned from is there after kill -9, at any moment; of the call that was cut, all or nothing",
    async ({ candidate, folder, open }) => {
      for (let run = 0; run < 6; run++) {
        await using writing = startProcess("./writing_process.ts", candidate.module, folder, String(run));
        // Killed in the middle of a call: after some output, at a moment nobody chose.
        const target = 1 + Math.trunc(Math.random() * 120);
        const said: string[] = [];
        for await (const line of writing.lines) if (said.push(line) >= target) writing.kill();
        using ledger = open();
        assertEquals(ledger.integrity(), []);
        assertEquals([ledger.count({}) % 20, ledger.inFlight("spring", "freya").length % 20], [0, 0]);
        assertEquals(ledger.count({ states: ["delivered"] }), ledger.counts().delivered);
        for (const what of ["admitted", "claimed", "delivered"] as const) checkSaid(what, said, ledger);
        recover(ledger);
      }
    },
  ),
  check(
    "inFlight() tells a new process what the former was sending, and nothing of it is claimed before it is recorded",
    ({ open }) => {
      let claimed;
      {
        using ledger = open();
        ledger.admit(["a", "b", "c"].map((path) => anAdmission(path)), NOW);
        claimed = ledger.claim(aClaim({ maxFiles: 2 }));
      }
      using ledger = open();
      assertEquals(ledger.inFlight("spring", "freya"), claimed);
      assertEquals(ledger.claim(aClaim({ attempt: "a2" })).map(({ source }) => source.path), ["c"]);
      ledger.record([proven(claimed[0]!), park(claimed[1]!)], NOW);
      assertEquals(states(ledger), ["a → freya delivered", "b → freya queued", "c → freya sending"]);
      assertEquals(ledger.claim(aClaim({ attempt: "a3" })).map(({ source }) => source.path), ["b"]);
    },
  ),
  check(
    "claim() never hands one delivery to two batches, whatever processes claim at once",
    async ({ candidate, folder, ledger }) => {
      const admitted = ledger.admit(Array.from({ length: 600 }, (_, k) => anAdmission(`${k}.fits`)), NOW);
      const given = await Promise.all(["a", "b", "c"].map(async (attempt) => {
        await using claiming = startProcess("./claiming_process.ts", candidate.module, folder, attempt);
        const lines = await Array.fromAsync(claiming.lines);
        return lines.flatMap((line) => line.split(" ").map(Number));
      }));
      const all = given.flat();
      assertEquals(all.toSorted((a, b) => a - b), admitted.map(({ id }) => id));
      const stored = ledger.inFlight("spring", "freya");
      for (const [index, attempt] of ["a", "b", "c"].entries()) {
        const own = stored.filter(({ state }) => state.state === "sending" && state.attempt === attempt);
        assertEquals(own.map(({ id }) => id), given[index]!.toSorted((a, b) => a - b));
      }
    },
  ),
  check("two processes write in turn", ({ ledger: one, open }) => {
    using two = open();
    one.admit([anAdmission("a.fits")], NOW);
    two.record([proven(deliveryOf(two, "a.fits"))], NOW);
    one.setPaused("nas", "x");
    assertEquals([one.counts().delivered, two.pausedBy("nas")], [1, "x"]);
  }),
  check("readLedger() reads beside a writer", ({ ledger, read }) => {
    ledger.admit([anAdmission("a.fits")], NOW);
    using reader = read();
    assertEquals([reader.instance, reader.counts().queued], [ledger.instance, 1]);
    const rows = reader.each({});
    ledger.record([proven(deliveryOf(ledger, "a.fits"))], NOW);
    ledger.admit([anAdmission("b.fits")], NOW);
    assertEquals([...rows].length, 2);
    assertEquals(reader.counts().delivered, 1);
  }),
  check("a call waits for another program that keeps the ledger locked for a moment", async ({ candidate, folder, ledger }) => {
    const begun = performance.now();
    await using _lock = await candidate.lock(folder, 300);
    ledger.admit([anAdmission("a.fits")], NOW);
    assert(performance.now() - begun >= 300);
    assertEquals(ledger.counts().queued, 1);
  }),
  check(
    "a call fails as timeout, and changes nothing, where another program keeps the ledger locked",
    async ({ candidate, folder, ledger, read }) => {
      ledger.admit([anAdmission("a.fits")], NOW);
      {
        await using _lock = await candidate.lock(folder, 60_000);
        const failure = assertThrows(() => ledger.claim(aClaim()), Failure, "another program has kept it locked for too long");
        assertEquals([failure.code, failure.next], ["timeout", "later"]);
        using reader = read();
        assertEquals(reader.counts().queued, 1);
      }
      assertEquals(ledger.claim(aClaim()).length, 1);
    },
  ),
];

const STATES = { admitted: /./, claimed: /^(sending|delivered)$/, delivered: /^delivered$/ } as const;

/** What the process said is so. */
function checkSaid(what: keyof typeof STATES, said: readonly string[], ledger: Ledger): void {
  const ids = said.filter((line) => line.startsWith(what)).flatMap((line) => line.split(" ").slice(1).map(Number));
  const rows = ledger.query({ ids });
  assertEquals(rows.length, ids.length, what);
  assertEquals(rows.filter(({ delivery: { state } }) => !STATES[what].test(state.state)), [], what);
}

/** As a start does, when it finds nothing at the destination. */
function recover(ledger: Ledger): void {
  ledger.record(ledger.inFlight("spring", "freya").map(park), NOW);
}
