/**
 * A process that writes to a ledger without end and says on stdout what is durable; the tests kill it.
 *
 * @module
 */
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { aClaim, anAdmission, NOW, proven } from "../makers.ts";

const [folder, run] = Deno.args as [string, string];
const out = new TextEncoder();
using ledger = openLedger(folder);
for (const left of ledger.inFlight("spring", "freya")) ledger.record([{ ...left, state: { state: "queued" } }], NOW);
for (let round = 0;; round++) {
  ledger.admit(Array.from({ length: 20 }, (_, k) => anAdmission(`${run}/${round}/${k}.fits`)), NOW);
  const done = ledger.claim(aClaim({ maxFiles: 20 })).map((delivery) => proven(delivery));
  ledger.record(done, NOW);
  // Only after record() has come back: everything said here must be there later.
  Deno.stdout.writeSync(out.encode(done.map(({ id }) => `${id}\n`).join("")));
}
