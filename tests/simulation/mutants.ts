// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * Plants known faults one by one in a copy of the sources, and lets nights happen until one is found. What was found before is not tried
 * again; the working tree is not touched.
 */
import { dirname, join } from "@std/path";
import { MUTANTS } from "./mutants_list.ts";

const COPIED = ["src", "tests/simulation", "tests/support", "deno.json", "import_map.json", "main.ts"];
const WITHIN_MS = 600_000;
/** Of a night: short ones have more faults a minute of the processor. */
const MINUTES = 60;

/** What became of a mutant: the offence that gave it away; null where none did in so many nights. */
type Found = Record<string, { readonly offence: string | null; readonly nights: number }>;

/** Tries all that were not tried with so many nights yet; with `only`, those alone that have one of its texts, between `|`, in their names. */
export async function tryMutants(root: string, stateFile: string, nights: number, only = ""): Promise<number> {
  const mutants = MUTANTS.filter(({ name, unseen }) =>
    only.split("|").some((text) => name.includes(text)) && unseen === undefined
  );
  const found: Found = JSON.parse(await Deno.readTextFile(stateFile).catch(() => "{}"));
  await Deno.mkdir(dirname(stateFile), { recursive: true });
  const copy = await Deno.makeTempDir({ prefix: "image-transfer-mutants-" });
  try {
    for (const part of COPIED) await copyTree(join(root, part), join(copy, part));
    const without = await firstOffence(copy, nights);
    if (without !== null) throw new Error(`Mend this first, it is there without any planted fault: ${without}`);
    for (const { name, file, from, to } of mutants) {
      const before = found[name];
      if (before !== undefined && (before.offence !== null || before.nights >= nights)) continue;
      const path = join(copy, "src", file);
      const text = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, planted(text, from, to));
      const offence = await firstOffence(copy, nights);
      await Deno.writeTextFile(path, text);
      found[name] = { offence, nights };
      await Deno.writeTextFile(stateFile, JSON.stringify(found, null, 1));
      console.log(`${offence === null ? "MISSED" : "found "} ${name}${offence === null ? "" : `: ${offence.slice(0, 200)}`}`);
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
  const missed = mutants.filter(({ name }) => found[name]!.offence === null);
  console.log(
    `${mutants.length - missed.length} of ${mutants.length} found; missed: ${
      missed.map(({ name }) => name).join(", ") || "none"
    }`,
  );
  return missed.length > 0 ? 1 : 0;
}

/** @throws {Error} where the text to replace is not there exactly once: then the list is out of date. */
export function planted(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`This is there ${parts.length - 1} times, not once: ${from}`);
  return parts.join(to);
}

async function firstOffence(folder: string, nights: number): Promise<string | null> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "tests/simulation/simulate.ts",
      "--first",
      "--seed",
      "1",
      "--minutes",
      `${MINUTES}`,
      "--nights",
      `${nights}`,
    ],
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const { stdout, stderr, code } = await child.output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  if (code === 0) return null;
  // A fault that ends the program is found as well; one that was ended by the time limit is not.
  return lines.find((line) => line.startsWith("  "))?.trim() ??
    (code === 143 ? null : new TextDecoder().decode(stderr).trim().split("\n").at(0) ?? `exit code ${code}`);
}

async function copyTree(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copyTree(join(from, name), join(to, name));
}
