/** A process that keeps the ledger of a folder locked for some milliseconds, or until it is killed. */
import { DatabaseSync } from "node:sqlite";

const [folder, forMs] = Deno.args as [string, string];
using db = new DatabaseSync(`${folder}/ledger.sqlite`);
db.exec("BEGIN IMMEDIATE");
Deno.stdout.writeSync(new TextEncoder().encode("locked\n"));
await new Promise((resolve) => setTimeout(resolve, Number(forMs)));
