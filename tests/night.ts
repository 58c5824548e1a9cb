// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * `deno task night [HOURS]`: what takes too long for each change, bounded in time and disk: the suites of `tests/night/` (a file above
 * 8 GiB, many files, kill -9 at random moments, and while files are removed), then nights of faults with new seeds until the hours (1) are over. It stops at
 * the first failure and says how to repeat it.
 */
import { tempFolder } from "./support/temp.ts";

/** What the file above 8 GiB takes at its destination, and room for the others. */
const NEEDED_BYTES = 20e9;
/** How long one night of faults lasts, seconds. */
const NIGHT_SECONDS = 300;
/** How often a daemon is killed while sources, or files at the destination, are removed: about 20 minutes each. */
const KILLS = 200;
/** One suite may take as long as this, minutes. */
const LONGEST_MINUTES = 60;

const hours = Number(Deno.args[0] ?? 1);
if (!(hours > 0)) {
  console.error(`"${Deno.args[0]}" is not a number of hours; deno task night 8 runs for eight`);
  Deno.exit(2);
}
const end = Date.now() + hours * 3_600_000;
Deno.exit(await suites() && await nights() ? 0 : 1);

async function suites(): Promise<boolean> {
  const room = await freeBytes();
  const names = ["kills_test.ts", "many_files_test.ts", ...(room < NEEDED_BYTES ? [] : ["large_file_test.ts"])];
  if (room < NEEDED_BYTES) {
    console.log(`Left out: large_file_test.ts (20 GB of free space needed, ${(room / 1e9).toFixed(0)} GB there)`);
  }
  for (const name of names) if (Date.now() < end && !await test(`night/${name}`, {})) return false;
  for (const what of ["delete_source", "delete_destination_files"]) {
    const env = { IMAGE_TRANSFER_KILLS: String(KILLS), IMAGE_TRANSFER_KILL_SEED: String(Date.now() % 1e9) };
    if (Date.now() < end && !await test("faults/kill_test.ts", env, `--filter=kill -9 with ${what}`)) return false;
  }
  return true;
}

async function nights(): Promise<boolean> {
  while (Date.now() < end) {
    const seconds = Math.max(20, Math.min(NIGHT_SECONDS, Math.round((end - Date.now()) / 1000)));
    const env = { IMAGE_TRANSFER_CHAOS_SEED: String(Date.now() % 1e9), IMAGE_TRANSFER_CHAOS_SECONDS: String(seconds) };
    if (!await test("faults/chaos_night_test.ts", env)) return false;
  }
  return true;
}

async function test(path: string, env: Readonly<Record<string, string>>, ...options: string[]): Promise<boolean> {
  const args = [
    "test",
    `--lock=${new URL("deno.lock", import.meta.url).pathname}`,
    "--frozen",
    "--allow-all",
    "--no-check",
    ...options,
    new URL(path, import.meta.url).pathname,
  ];
  const signal = AbortSignal.timeout(LONGEST_MINUTES * 60_000);
  const { success } = await new Deno.Command(Deno.execPath(), { args, env, signal, stdin: "null" }).spawn().status;
  const given = Object.entries(env).map(([name, value]) => `${name}=${value} `).join("");
  if (!success) {
    console.error(`Failed; to repeat it: ${given}deno test -A ${options.map((option) => `"${option}" `).join("")}tests/${path}`);
  }
  return success;
}

async function freeBytes(): Promise<number> {
  await using folder = await tempFolder();
  const { stdout } = await new Deno.Command("df", { args: ["-Pk", folder.path] }).output();
  return Number(new TextDecoder().decode(stdout).split("\n")[1]?.split(/\s+/)[3]) * 1024;
}
