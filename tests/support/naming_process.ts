/**
 * A process that stages files and then gives them their names, one after the other, as soon as a file appears: two of them are two
 * installations that want the same names at the same moment. Its one argument is a {@linkcode Naming} as JSON.
 */
import type { Destination } from "../../src/config/settings.ts";
import { methodNamed } from "../../src/methods/methods.ts";
import { createSystem } from "../../src/system/create_system.ts";

/** What is named. Each source is as long as its name, and its text begins with `who`. */
export interface Naming {
  readonly who: string;
  readonly destination: Destination;
  /** A folder of its own. */
  readonly folder: string;
  readonly sshConfig: string | null;
  readonly names: readonly string[];
  /** Made by this process when everything is staged; then it waits for `go`. */
  readonly ready: string;
  /** Holds when the first name is given, milliseconds since 1970 UTC. */
  readonly go: string;
  /** The next ones follow after so long each. */
  readonly everyMs: number;
}

if (import.meta.main) {
  const { who, destination, folder, sshConfig, names, ready, go, everyMs }: Naming = JSON.parse(Deno.args[0]!);
  const real = createSystem();
  const env = (name: string) => name === "IMAGE_TRANSFER_SSH_CONFIG" && sshConfig !== null ? sshConfig : real.env(name);
  const system = { ...real, env };
  const signal = AbortSignal.timeout(120_000);
  const stagingRoot = `.image-transfer-${who}`;
  await Deno.mkdir(`${folder}/source`, { recursive: true });
  const context = { system, stagingRoot, workFolder: `${folder}/work`, log: () => {} };
  await using session = await (await methodNamed(destination.transport.method)).connect(destination, context, signal);
  await session.attach(true, signal);
  const uploads = await Promise.all(names.map(async (name, number) => {
    const absolutePath = `${folder}/source/${number}`;
    await Deno.writeTextFile(absolutePath, `${who} ${name}`);
    const facts = (await system.facts(absolutePath))!;
    return { source: { job: "job", path: name, absolutePath, ...facts }, staged: `${stagingRoot}/a1/${number}` };
  }));
  for (const outcome of await session.put(uploads, () => {}, signal)) {
    if (!outcome.put) throw new Error(outcome.failure.message);
  }
  await Deno.writeTextFile(ready, "");
  while (await system.facts(go) === null) await system.sleep(1);
  const start = Number(await Deno.readTextFile(go));
  for (const [number, target] of names.entries()) {
    // In step with the other one, to the millisecond; a sleep would not be.
    while (Date.now() < start + number * everyMs);
    const item = { staged: uploads[number]!.staged, target, onConflict: "version", fileMode: null, directoryMode: null } as const;
    const [outcome] = await session.publish([item], signal);
    if (!outcome?.published) throw new Error(outcome?.failure.message);
  }
  await session.sweep(null, signal);
}
