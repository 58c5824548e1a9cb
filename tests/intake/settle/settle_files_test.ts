import { assertEquals, assertRejects } from "@std/assert";
import { taskGroup } from "../../../src/async/task_group.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import type { SettleContext } from "../../../src/intake/intake_context.ts";
import { candidates } from "../../../src/intake/settle/candidate.ts";
import { noteFiles } from "../../../src/intake/settle/note_files.ts";
import { settleFiles } from "../../../src/intake/settle/settle_files.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { aJob } from "../../support/makers.ts";
import { tempFolder } from "../../support/temp.ts";
import { pathToRead } from "../../../src/domain/source_file.ts";

const never = new AbortController().signal;
const image = fitsFile(6_000, 3);

/** Whole FITS files on a disk whose reads the test decides, an empty ledger, and a count of the looks at open files. */
async function bench(...names: string[]) {
  const dir = await tempFolder();
  const ledger = openLedger(dir.path);
  const clock = createFakeClock();
  const errors: unknown[] = [];
  const looks: (readonly string[])[] = [];
  const disk = { beforeRead: (_path: string): void | Promise<void> => {} };
  const facts = { size: image.length, mtimeMs: 1e12, ctimeMs: 1e12, identity: "1:1" };
  const context: SettleContext = {
    job: aJob("/data"),
    system: {
      ...clock,
      separator: "/",
      // Has no accounts.
      platform: "windows",
      uid: null,
      followedFacts: () => Promise.resolve(null),
      realPath: () => Promise.resolve(null),
      readText: () => Promise.reject(new Deno.errors.NotFound()),
      facts: () => Promise.resolve({ kind: "file", device: "1", mode: 0o644, bornMs: 0, links: 1, ...facts }),
      read: async (path, offset, length) => {
        await disk.beforeRead(pathToRead(path).slice("/data/".length));
        return image.subarray(offset, offset + length);
      },
      hash: () => Promise.resolve({ bytes: image.length, sha256: "0".repeat(64) }),
    },
    ledger,
    candidates: candidates(),
    writers: {
      isLocal: () => Promise.resolve(true),
      of: (paths) => Promise.resolve((looks.push(paths), () => "gone" as const)),
    },
    looks: { begin: () => {}, heard: () => {} },
    aside: { isOld: () => false },
    emit: () => {},
    comparing: taskGroup(1, () => {}),
    chosenMethod: () => null,
    loops: () => {},
    onError: (error) => errors.push(error),
    admitted: () => {},
  };
  const { open } = noteFiles(context, names.map((path) => ({ path, ...facts })));
  return {
    ...{ clock, context, disk, looks, errors },
    settle: () => settleFiles(context, open, never),
    states: () => context.candidates.waiting().map(({ path, reason }) => `${path}: ${reason}`),
    async [Symbol.asyncDispose]() {
      ledger[Symbol.dispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("settleFiles() admits what is finished, and asks about the writers of all files in one look", async () => {
  await using rig = await bench("a.fits", "b.fits", "c.fits");
  assertEquals([await rig.settle(), rig.states(), rig.context.candidates.idle()], [3, [], true]);
  assertEquals(rig.looks, [["/data/a.fits", "/data/b.fits", "/data/c.fits"]]);
});

Deno.test("settleFiles() does not wait for a file that does not open, and has it looked at again once it did", async () => {
  await using rig = await bench("slow.fits", "b.fits");
  const opened = Promise.withResolvers<void>();
  rig.disk.beforeRead = (path) => path === "slow.fits" ? opened.promise : undefined;
  const settling = rig.settle();
  await rig.clock.advance(5_000);
  assertEquals([await settling, rig.context.candidates.idle(), rig.context.candidates.nextDue()], [1, false, Infinity]);
  opened.resolve();
  await rig.clock.advance(0);
  assertEquals([rig.context.candidates.idle(), rig.context.candidates.due(5_000)], [true, ["slow.fits"]]);
});

Deno.test("settleFiles() decides nothing about a file that an event told of meanwhile", async () => {
  await using rig = await bench("a.fits");
  rig.disk.beforeRead = () => rig.context.candidates.touch("a.fits", false);
  assertEquals([await rig.settle(), rig.states(), rig.context.candidates.due(0)], [0, ["a.fits: quiet"], ["a.fits"]]);
});

for (
  const [what, error, states] of [
    ["waits for a writer that shares nothing", new Deno.errors.Busy("in use"), ["a.fits: writer open"]],
    ["tries again soon where too many files are open", Object.assign(new Error(), { code: "EMFILE" }), ["a.fits: quiet"]],
    ["refuses a file that cannot be read", new Deno.errors.PermissionDenied("denied"), ["a.fits: refused"]],
    ["refuses a file that its disk lists and cannot find", new Deno.errors.NotFound("gone"), ["a.fits: refused"]],
  ] as const
) {
  Deno.test(`settleFiles() ${what}, and settles the others`, async () => {
    await using rig = await bench("a.fits", "b.fits");
    rig.disk.beforeRead = (path) => {
      if (path === "a.fits") throw error;
    };
    assertEquals([await rig.settle(), rig.states(), rig.errors], [1, states, []]);
  });
}

Deno.test("settleFiles() does not wait for the look at writers once a close was told", async () => {
  await using rig = await bench("a.fits", "b.fits");
  const looked = Promise.withResolvers<() => "open">();
  rig.context.writers.of = () => looked.promise;
  const settling = rig.settle();
  await rig.clock.advance(0);
  rig.context.candidates.touch("a.fits", true);
  assertEquals([await settleFiles(rig.context, ["a.fits"], never), rig.states()], [1, ["b.fits: quiet"]]);
  looked.resolve(() => "open");
  assertEquals([await settling, rig.states(), rig.context.candidates.idle()], [0, ["b.fits: writer open"], true]);
});

Deno.test("settleFiles() has no use for an answer about writers from before an event", async () => {
  await using rig = await bench("a.fits");
  rig.context.writers.of = () => {
    rig.context.candidates.touch("a.fits", false);
    return Promise.resolve(() => "gone");
  };
  assertEquals([await rig.settle(), rig.states(), rig.context.candidates.due(0)], [0, ["a.fits: quiet"], ["a.fits"]]);
});

Deno.test("settleFiles() looks at files again later whose writers could not be asked about", async () => {
  await using rig = await bench("a.fits");
  rig.context.writers.of = () => Promise.reject(new Error("no programs"));
  await assertRejects(rig.settle, Error, "no programs");
  assertEquals([rig.context.candidates.idle(), rig.context.candidates.nextDue()], [true, 5_000]);
});
