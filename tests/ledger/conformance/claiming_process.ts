/** A process that claims until nothing is left, and says what it was given. */
import type { LedgerAccess } from "../../../src/ledger/ledger.ts";
import { aClaim } from "../makers.ts";

const [module, folder, attempt] = Deno.args as [string, string, string];
const { openLedger } = await import(module) as LedgerAccess;
const out = new TextEncoder();
using ledger = openLedger(folder);
for (;;) {
  const claimed = ledger.claim(aClaim({ maxFiles: 3, attempt }));
  if (claimed.length === 0) break;
  Deno.stdout.writeSync(out.encode(`${claimed.map(({ id }) => id).join(" ")}\n`));
}
