/** A process that writes to a ledger without end and says after each call what is durable; the checks kill it. */
import type { LedgerAccess } from "../../../src/ledger/ledger.ts";
import { aClaim, anAdmission, NOW, proven } from "../makers.ts";

const [module, folder, run] = Deno.args as [string, string, string];
const { openLedger } = await import(module) as LedgerAccess;
using ledger = openLedger(folder);
const out = new TextEncoder();
const say = (what: string, deliveries: readonly { readonly id: number }[]) =>
  // Only after the call has returned: everything said here must be there later.
  Deno.stdout.writeSync(out.encode(`${what} ${deliveries.map(({ id }) => id).join(" ")}\n`));

for (let round = 0;; round++) {
  say("admitted", ledger.admit(Array.from({ length: 20 }, (_, k) => anAdmission(`${run}/${round}/${k}.fits`)), NOW));
  const claimed = ledger.claim(aClaim({ maxFiles: 20, attempt: `${run}.${round}` }));
  say("claimed", claimed);
  ledger.record(claimed.map((delivery) => proven(delivery)), NOW);
  say("delivered", claimed);
}
