import { assertEquals } from "@std/assert";
import type { FileFacts } from "../../../src/domain/source_file.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { admitFinished, compareKnown } from "../../../src/intake/admit/admit_finished.ts";
import { candidates } from "../../../src/intake/settle/candidate.ts";
import { taskGroup } from "../../../src/async/task_group.ts";
import type { SettleContext } from "../../../src/intake/intake_context.ts";
import type { PathFacts } from "../../../src/system/system.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp.ts";
import { aJob } from "../../support/makers.ts";

const never = new AbortController().signal;
const NAMES = ["a.raw", "b.raw"];
const FACTS = { size: 5, mtimeMs: 1e12, ctimeMs: 1e12, identity: "1:1" };

/** Finished candidates, an empty ledger, and a disk whose facts the test decides. */
async function bench(names: readonly string[] = NAMES, facts: (path: string) => Omit<FileFacts, "path"> = () => FACTS) {
  const dir = await tempFolder();
  const ledger = openLedger(dir.path);
  const waiting = candidates();
  const refused: string[] = [];
  const finished = names.map((path) => waiting.look({ path, ...facts(path) } satisfies FileFacts, 0, 0, false).candidate);
  const disk = {
    facts: (_path: string): Promise<Partial<PathFacts>> => Promise.resolve({}),
    hash: () => Promise.resolve({ bytes: 5, sha256: "0".repeat(64) }),
  };
  const context: SettleContext = {
    job: aJob("/data"),
    system: {
      ...createFakeClock(),
      separator: "/",
      // Has no accounts.
      platform: "windows",
      uid: null,
      followedFacts: () => Promise.resolve(null),
      realPath: () => Promise.resolve(null),
      readText: () => Promise.reject(new Deno.errors.NotFound()),
      facts: async (path) => ({
        kind: "file",
        device: "1",
        mode: 0o644,
        links: 1,
        bornMs: 0,
        ...facts(path.replace("/data/", "")),
        ...await disk.facts(path),
      }),
      read: () => Promise.resolve(new Uint8Array()),
      hash: () => disk.hash(),
    },
    ledger,
    candidates: waiting,
    writers: { isLocal: () => Promise.resolve(true), of: () => Promise.resolve(() => "gone") },
    looks: { begin: () => {}, heard: () => {} },
    aside: { isOld: () => false },
    emit: (event) => void (event.type === "refused" && refused.push(event.path)),
    comparing: taskGroup(1, () => {}),
    chosenMethod: () => null,
    loops: () => {},
    onError: (error) => {
      throw error;
    },
    admitted: () => {},
  };
  return {
    waiting,
    finished,
    written: () => [...new Set(ledger.query({}).map(({ delivery: { source } }) => source.path))],
    disk,
    context,
    refused,
    async [Symbol.asyncDispose]() {
      ledger[Symbol.dispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("admitFinished() admits what is finished", async () => {
  await using rig = await bench();
  assertEquals([await admitFinished(rig.context, rig.finished, never), rig.written(), rig.refused], [2, NAMES, []]);
});

Deno.test("admitFinished() leaves a file that changed since it was settled, though no event came, to be settled again", async () => {
  await using rig = await bench();
  rig.disk.facts = (path) => Promise.resolve(path.endsWith("a.raw") ? { size: 6 } : {});
  assertEquals([await admitFinished(rig.context, rig.finished, never), rig.written()], [1, ["b.raw"]]);
  assertEquals(NAMES.map((name) => rig.waiting.get(name) !== undefined), [true, false]);
});

Deno.test("admitFinished() leaves a file that an event told of while others were looked at to be settled again", async () => {
  await using rig = await bench();
  const looked = Promise.withResolvers<void>();
  rig.disk.facts = async (path) => {
    if (path.endsWith("a.raw")) setTimeout(looked.resolve, 0);
    else await looked.promise.then(() => rig.waiting.touch("a.raw", false));
    return {};
  };
  assertEquals([await admitFinished(rig.context, rig.finished, never), rig.written()], [1, ["b.raw"]]);
  assertEquals(NAMES.map((name) => rig.waiting.get(name) !== undefined), [true, false]);
});

Deno.test("admitFinished() looks at many files at once, but at few of those that it reads whole for their checksums", async () => {
  const names = (ending: string) => Array.from({ length: 100 }, (_, index) => `${index}.${ending}`);
  for (const [ending, most] of [["raw", 100], ["fits", 8]] as const) {
    await using rig = await bench(names(ending));
    let now = 0;
    let seen = 0;
    rig.disk.facts = async () => {
      seen = Math.max(seen, ++now);
      await new Promise((resolve) => setTimeout(resolve));
      now--;
      return {};
    };
    assertEquals([await admitFinished(rig.context, rig.finished, never), rig.written().length, seen], [100, 100, most]);
  }
});

const DEEP = ["n/a.raw", "n/n/a.raw", "n/n/n/a.raw"];

Deno.test("admitFinished() takes a deep file for one that came back only if it was made after the first was admitted", async () => {
  const startMs = Date.UTC(2026, 0, 15, 20, 0, 0, 700);
  // The runtime tells a ctime in whole seconds. In the second of the admission, a copy is known by the time of its original.
  const sameSecond = { ctimeMs: startMs - 700 };
  for (
    const [facts, mtimes, bornMs, cameBack] of [
      [sameSecond, [1, 2, 3], 0, false],
      [sameSecond, [1_200, 1_200, 1_200], 0, true],
      [sameSecond, [1_200, 1_200, 1_200], startMs, true],
      [sameSecond, [1_200, 1_200, 1_200], startMs - 1, false],
      [sameSecond, [1_200, 1_000, 1_000], 0, true],
      [{ ctimeMs: startMs + 300 }, [1, 2, 3], startMs - 1, true],
    ] as const
  ) {
    await using rig = await bench(DEEP, (path) => ({ ...FACTS, ...facts, mtimeMs: mtimes[DEEP.indexOf(path)]! }));
    rig.disk.facts = () => Promise.resolve({ bornMs });
    const context = { ...rig.context, system: { ...rig.context.system, ...createFakeClock({ startMs }) } };
    for (const candidate of rig.finished) await admitFinished(context, [candidate], never);
    assertEquals([rig.written().length, rig.refused], cameBack ? [2, [DEEP[2]!]] : [3, []], JSON.stringify([facts, mtimes]));
  }
});

Deno.test("compareKnown() takes no hash of a file that changed while it was read", async () => {
  await using rig = await bench();
  rig.disk.hash = () => {
    rig.disk.facts = () => Promise.resolve({ size: 6 });
    return Promise.resolve({ bytes: 5, sha256: "0".repeat(64) });
  };
  await compareKnown(rig.context, rig.finished[0]!, never);
  assertEquals([rig.written(), rig.waiting.get("a.raw") !== undefined], [[], true]);
  rig.disk.facts = () => Promise.resolve({});
  rig.disk.hash = () => Promise.resolve({ bytes: 5, sha256: "0".repeat(64) });
  await compareKnown(rig.context, rig.finished[0]!, never);
  assertEquals([rig.written(), rig.waiting.get("a.raw")], [["a.raw"], undefined]);
});
