/** The backlog is in the ledger, not in memory: what the daemon holds does not grow with the files that wait. */
import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { V8_FLAGS } from "../build/v8_flags.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/tcp_proxy.ts";
import { tempFolder } from "../support/temp.ts";

const FEW = 3_000;
const MANY = 33_000;
/** A path alone is longer. */
const MOST_BYTES_A_FILE = 40;

Deno.test("memory does not grow with the files that wait for a destination that is away", needs("sshd"), async () => {
  const few = await heapWith(FEW);
  const many = await heapWith(MANY);
  const each = (many - few) / (MANY - FEW);
  assert(each < MOST_BYTES_A_FILE, `${few} bytes with ${FEW} files, ${many} with ${MANY}: ${each.toFixed(0)} for each`);
});

/** Bytes of the heap of a daemon with so many files waiting, all garbage collected. */
async function heapWith(count: number): Promise<number> {
  await using folder = await tempFolder();
  for (let number = 0; number < count; number++) {
    if (number % 1000 === 0) await Deno.mkdir(folder.at("images", `${number}`), { recursive: true });
    await Deno.writeTextFile(folder.at("images", `${number - number % 1000}`, `a light frame of this night ${number}.dat`), "x");
  }
  const at = (path: string) => fromFileUrl(new URL(path, import.meta.url));
  const args = ["run", "--no-check", "-A", `${V8_FLAGS},--expose-gc`, "--config", at("../../deno.json"), at("memory_program.ts")];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, folder.path, String(count), String(freePort())],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout).split(" ")[0]);
}
