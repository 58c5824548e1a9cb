/** SQLite on disk keeps the contract of the ledger. */
import { openLedger, readLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { ledgerConformance } from "../conformance/conformance.ts";
import { startProcess } from "../conformance/process.ts";

ledgerConformance({
  name: "sqlite",
  openLedger,
  readLedger,
  module: import.meta.resolve("../../../src/ledger/sqlite/open_ledger.ts"),
  lock: async (folder, forMs) => {
    const locking = startProcess(import.meta.resolve("./locking_process.ts"), folder, String(forMs));
    await locking.lines.next();
    return locking;
  },
});
