// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * `deno task simulate`: lets nights happen in the simulated world, one seed after the other, and says which of them broke a promise; the
 * same seed is the same night. A broken one is cut to what matters, told, and kept. Cut off, it goes on where it was. Exits with 1 where
 * there was an offence.
 *
 *     --nights N --seed S --minutes M   N nights of M minutes from seed S on (of the day, if not given)
 *     --scenario FILE                   one scenario, as `kept/` has them
 *     --first                           ends at the first offence, as it is
 *     --story                           tells each call
 *     --mutants                         plants one fault after the other in a copy of the sources, and says which are found
 *     --only TEXT|TEXT                  of the faults, those with one of these in their names
 */
import { dirname, fromFileUrl, join } from "@std/path";
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { tryMutants } from "./mutants.ts";
import { night, type Verdict } from "./night.ts";
import { nightsOf } from "./nights.ts";
import { aNight, type Scenario } from "./scenario.ts";
import { shrink, tale } from "./shrink.ts";
import { table } from "./steps.ts";

const SHRINK_WITHIN_MS = 180_000;
const ROOT = fromFileUrl(new URL("../../", import.meta.url));
/** Not in the repository. */
const STATE = join(ROOT, "dist", "simulation");

const { values } = parseArgs({
  options: {
    nights: { type: "string", default: "30" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 86_400_000) * 1000) },
    minutes: { type: "string", default: "480" },
    scenario: { type: "string" },
    first: { type: "boolean", default: false },
    story: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});

/** How far the nights of one program from one seed have come. */
interface Progress {
  done: number;
  ms: number;
  broken: number[];
  met: [string, number][];
}

async function playNights(count: number, seed: number, minutes: number): Promise<number> {
  const file = join(STATE, `${await digestOfSources()}-${seed}-${minutes}.json`);
  const progress: Progress = values.first ? { done: 0, ms: 0, broken: [], met: [] } : await stored(file);
  const met = new Map(progress.met);
  if (progress.done > 0) console.log(`${Math.min(progress.done, count)} nights are done already`);
  let begun = performance.now();
  for await (const verdict of nightsOf(seed + progress.done, seed + count, minutes)) {
    progress.ms += performance.now() - begun;
    begun = performance.now();
    progress.done += 1;
    for (const [key, times] of verdict.met) met.set(key, (met.get(key) ?? 0) + times);
    progress.met = [...met];
    if (verdict.offences.length > 0) progress.broken.push(verdict.seed);
    if (!values.first) await store(file, progress);
    const rate = (progress.done / progress.ms * 60_000).toFixed(0);
    show(`night ${verdict.seed} (${progress.done} of ${count}, ${rate} a minute)`, verdict);
    if (verdict.offences.length === 0) continue;
    if (values.first) return 1;
    await shrunk(aNight(verdict.seed, minutes), `night-${verdict.seed}-${minutes}`);
    begun = performance.now();
  }
  for (const line of table(met)) console.log(line);
  console.log(`${progress.done} nights, broken: ${progress.broken.length === 0 ? "none" : progress.broken.join(", ")}`);
  return progress.broken.length > 0 ? 1 : 0;
}

function show(name: string, { deliveries, steps, digest, offences, missed, story }: Verdict): void {
  console.log(`${name}: ${deliveries} deliveries, ${steps} steps, ${digest}, ${offences.length} offences`);
  for (const offence of offences) console.log(`  ${offence}`);
  if (values.story) { for (const line of story) console.log(`    ${line}`); }
  if (values.scenario) { for (const fault of missed) console.log(`  never came: ${JSON.stringify(fault)}`); }
}

async function shrunk(scenario: Scenario, name: string): Promise<void> {
  const least = await shrink(scenario, night, SHRINK_WITHIN_MS);
  const file = join(STATE, `${name}.json`);
  await store(file, least);
  for (const line of tale(await night(least), `deno task simulate --scenario ${file.slice(ROOT.length)}`)) {
    console.log(`    ${line}`);
  }
}

async function playScenario(file: string): Promise<number> {
  const verdict = await night(JSON.parse(await Deno.readTextFile(file)));
  show(file, verdict);
  for (const line of tale(verdict, `deno task simulate --scenario ${file}`)) console.log(`    ${line}`);
  return verdict.offences.length + verdict.missed.length > 0 ? 1 : 0;
}

async function stored(file: string): Promise<Progress> {
  const text = await Deno.readTextFile(file).catch(() => null);
  return text === null ? { done: 0, ms: 0, broken: [], met: [] } : JSON.parse(text);
}

/** Whole or not at all: it may be cut off here as well. */
async function store(file: string, value: unknown): Promise<void> {
  await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeTextFile(`${file}.part`, JSON.stringify(value, null, 1));
  await Deno.rename(`${file}.part`, file);
}

/** Another program has other nights. */
async function digestOfSources(): Promise<string> {
  const sum = createHash("sha256");
  const add = async (folder: string) => {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    for (const { name, isDirectory } of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
      if (isDirectory) await add(join(folder, name));
      else if (name.endsWith(".ts")) sum.update(await Deno.readFile(join(folder, name)));
    }
  };
  await add(join(ROOT, "src"));
  await add(join(ROOT, "tests", "simulation"));
  return sum.digest("hex").slice(0, 8);
}

const [nights, seed, minutes] = [Number(values.nights), Number(values.seed), Number(values.minutes)];
Deno.exit(
  values.mutants
    ? await tryMutants(ROOT, join(STATE, "mutants.json"), nights, values.only)
    : values.scenario
    ? await playScenario(values.scenario)
    : await playNights(nights, seed, minutes),
);
