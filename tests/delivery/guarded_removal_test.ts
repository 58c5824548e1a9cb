import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { guardedRemoval } from "../../src/delivery/remove_source.ts";
import type { SourceFile } from "../../src/domain/source_file.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { exchanging } from "../support/exchanger.ts";
import { aJob } from "../support/makers.ts";
import { needs } from "../support/needs.ts";
import { sourceAt } from "../support/source_at.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const never = new AbortController().signal;
const STRANGER = 54_321;
const system = createSystem();

/** A watched folder of a stranger, whose `night` leads to the sources, and `link` to files of ours with the same names. */
async function makeTrap(folder: TempFolder, count: number, changed: Partial<typeof system> = {}) {
  const job = aJob(folder.at("data"), { deleteSource: true });
  const sources: SourceFile[] = [];
  for (let number = 0; number < count; number++) {
    const path = `night/${number}.fits`;
    sources.push(await sourceAt(await folder.write(`data/${path}`, "source"), path));
    await folder.write(`secret/${number}.fits`, "secret");
  }
  await Deno.symlink(folder.at("secret"), folder.at("data/link"));
  await Deno.chown(folder.at("data"), STRANGER, STRANGER);
  const told: string[] = [];
  const emit = (event: { readonly type: string; readonly message?: string }) => void told.push(event.message ?? event.type);
  const guarded = guardedRemoval(job, { system: { ...system, ...changed }, emit });
  /** As long ago that an exchange would show. */
  const settled = () => system.sleep(1_100);
  return { guarded, sources, told, settled };
}

async function filesIn(folder: string): Promise<number> {
  return (await system.list(folder)).entries.length;
}

/** The folders that removing made. */
async function remains(folder: TempFolder): Promise<string[]> {
  const names = [...await system.names(folder.path), ...await system.names(folder.at("data"))];
  return names.filter((name) => name.startsWith(".image-transfer-"));
}

Deno.test(
  "guardedRemoval() removes sources and nothing else, although another account exchanges their folder at the last moment",
  needs("root"),
  async () => {
    await using folder = await tempFolder();
    const COUNT = 100;
    let attack: AsyncDisposable | null = null;
    const { guarded, sources, settled } = await makeTrap(folder, COUNT);
    await settled();
    let removed = 0;
    const removals = [];
    for (const source of sources) removals.push(await guarded.prepare(source, never));
    attack = await exchanging(folder.at("data"), [["night", "link"]]);
    for (const remove of removals) if (await remove?.().catch(() => false)) removed += 1;
    await attack[Symbol.asyncDispose]();
    assertEquals(await filesIn(folder.at("secret")), COUNT);
    assertEquals(await filesIn(folder.at("data/night")), COUNT - removed);
    assertEquals(await remains(folder), []);
  },
);

Deno.test(
  "guardedRemoval() puts back what was moved and is another file, and keeps sources while folders are exchanged",
  needs("root"),
  async () => {
    await using folder = await tempFolder();
    const exchange = async () => {
      await Deno.rename(folder.at("data/night"), folder.at("data/other"));
      await Deno.rename(folder.at("data/link"), folder.at("data/night"));
    };
    let isDue = true;
    const { guarded, sources, settled } = await makeTrap(folder, 1, {
      rename: async (from, to) => {
        // Between the last look and the move.
        if (isDue) await exchange();
        isDue = false;
        await system.rename(from, to);
      },
    });
    await settled();
    const remove = await guarded.prepare(sources[0]!, never);
    assertEquals(await remove!(), false);
    assertEquals(await Deno.readTextFile(folder.at("secret/0.fits")), "secret");
    assertEquals(await remains(folder), []);
    // What leads to it now is a link.
    assertEquals(await guarded.prepare(sources[0]!, never), null);
  },
);

Deno.test("guardedRemoval() puts back at the next start what a process had moved when it ended", needs("root"), async () => {
  await using folder = await tempFolder();
  const { guarded, sources, settled } = await makeTrap(folder, 2, {
    remove: () => Promise.reject(new Error("the process ends")),
  });
  await settled();
  const remove = await guarded.prepare(sources[1]!, never);
  await remove!().catch(() => {});
  assertEquals([await filesIn(folder.at("data/night")), (await remains(folder)).length], [1, 1]);
  const { guarded: next } = { guarded: guardedRemoval(aJob(folder.at("data")), { system, emit: () => {} }) };
  await next.restore();
  assertEquals([await filesIn(folder.at("data/night")), await remains(folder)], [2, []]);
  assertEquals((await system.facts(sources[1]!.absolutePath))?.identity, sources[1]!.identity);
});

Deno.test(
  "guardedRemoval() keeps the sources, and says why, where no folder on their disk is protected",
  needs("root"),
  async () => {
    await using folder = await tempFolder();
    const { guarded, sources, told, settled } = await makeTrap(folder, 2, {
      makeInside: () => Promise.reject(new Deno.errors.PermissionDenied()),
    });
    await settled();
    for (const source of sources) assertEquals(await guarded.prepare(source, never), null);
    assertEquals(told.length, 1);
    assert(told[0]!.includes(`other accounts may rename what is in "${join(folder.path, "data")}"`), told[0]);
  },
);
