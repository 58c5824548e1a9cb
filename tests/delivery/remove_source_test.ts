import { assertEquals } from "@std/assert";
import type { Job } from "../../src/config/settings.ts";
import { sourceRemoval } from "../../src/delivery/remove_source.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { type OutboxRig, outboxRig } from "./outbox_rig.ts";
import { exchanging } from "../support/exchanger.ts";
import { aDestination, aJob } from "../support/makers.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { local } from "../../src/methods/local/local.ts";
import { pathToRead } from "../../src/domain/source_file.ts";

const never = new AbortController().signal;

async function delivered(rig: OutboxRig): Promise<void> {
  await rig.becomes("a.fits", "alpha", "delivered");
}

function removal(rig: OutboxRig, changes: Partial<Job> = {}, tools: Partial<Parameters<typeof sourceRemoval>[2]> = {}) {
  const job = aJob(rig.folder.at("data"), { deleteSource: true, ...changes });
  return sourceRemoval(job, [rig.outbox], { ...rig.tools, ledger: rig.ledger, ...tools });
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

async function isThere(rig: OutboxRig, name = "a.fits"): Promise<boolean> {
  return await rig.tools.system.facts(rig.folder.at("data", name)) !== null;
}

Deno.test("sourceRemoval() removes a source that is proven at every destination, and tells of it", async () => {
  await using rig = await outboxRig();
  await delivered(rig);
  await removal(rig).pass(never);
  assertEquals(await isThere(rig), false);
  assertEquals(rig.events.filter(({ type }) => type === "removed_source"), [{
    type: "removed_source",
    job: "spring",
    path: "a.fits",
  }]);
  assertEquals(rig.ledger.removable("spring", ["nas"], 10), []);
});

Deno.test("sourceRemoval() keeps a source that a program has open for writing, until it is closed", async () => {
  let open = true;
  await using rig = await outboxRig({
    system: { openForWriting: (paths) => Promise.resolve(new Set(open && rig.ledger.counts().delivered > 0 ? paths : [])) },
  });
  await delivered(rig);
  await removal(rig).pass(never);
  assertEquals(await isThere(rig), true);
  open = false;
  await removal(rig).pass(never);
  assertEquals(await isThere(rig), false);
});

Deno.test(
  "sourceRemoval() removes no file of others while another account exchanges the folder of its sources for a link to theirs",
  needs("root"),
  async () => {
    await using rig = await outboxRig();
    const names = Array.from({ length: 20 }, (_, number) => `night/${number}.fits`);
    for (const name of names) await rig.admit(name, "alpha");
    for (const name of names) await rig.folder.write(name.replace("night", "secret"), "omega");
    await Deno.symlink(rig.folder.at("secret"), rig.folder.at("data/link"));
    await Deno.chown(rig.folder.at("data"), 54_321, 54_321);
    rig.start();
    await rig.until(() => names.every((name) => rig.state(name) === "delivered"), "delivered");
    const { now, sleep } = createSystem();
    const remove = removal(rig, {}, { system: { ...rig.tools.system, now, sleep } });
    {
      await using _exchanging = await exchanging(rig.folder.at("data"), [["night", "link"]]);
      const over = new AbortController();
      setTimeout(() => over.abort(), 2_500);
      while (!over.signal.aborted) await remove.pass(over.signal);
    }
    assertEquals(namesIn(rig.folder.at("secret")).length, names.length);
    await remove.pass(never);
    assertEquals([await isThere(rig, names[0]), namesIn(rig.folder.at("data"))], [false, ["link", "night"]]);
  },
);

interface Kept {
  readonly why: string;
  readonly job?: (rig: OutboxRig) => Partial<Job>;
  readonly happens?: (rig: OutboxRig) => unknown;
}

const KEPT: readonly Kept[] = [
  { why: "unless the job asks for it", job: () => ({ deleteSource: false }) },
  {
    why: "until every destination has it",
    job: () => ({ destinations: [aDestination(), aDestination({ name: "freya" })] }),
  },
  { why: "that changed after it was delivered", happens: (rig) => rig.folder.write("data/a.fits", "a new exposure") },
  { why: "whose copy is not at the destination any more", happens: (rig) => rig.fake.files.delete("a.fits") },
  { why: "while a destination cannot be asked", happens: (rig) => rig.stop() },
  {
    why: "that lies in a folder that the job watched before",
    job: (rig) => ({ watchPath: rig.folder.at("other") }),
    happens: (rig) => Deno.mkdir(rig.folder.at("other")),
  },
];

for (const { why, job, happens } of KEPT) {
  Deno.test(`sourceRemoval() keeps a source ${why}`, async () => {
    await using rig = await outboxRig();
    await delivered(rig);
    await happens?.(rig);
    await removal(rig, job?.(rig)).pass(never);
    assertEquals(await isThere(rig), true);
  });
}

Deno.test("sourceRemoval() never removes what was only compared by size, or not at all", async () => {
  for (const verify of ["size", "none"] as const) {
    await using rig = await outboxRig({ destination: { verify } });
    await delivered(rig);
    await removal(rig, { destinations: [aDestination({ verify })] }).pass(never);
    await removal(rig).pass(never);
    assertEquals(await isThere(rig), true, verify);
  }
});

Deno.test("sourceRemoval() keeps everything while one destination is not to be proven, whatever was proven before", async () => {
  for (const verify of ["size", "none"] as const) {
    await using rig = await outboxRig();
    await delivered(rig);
    await removal(rig, { destinations: [aDestination({ verify })] }).pass(never);
    assertEquals(await isThere(rig), true, verify);
  }
});

Deno.test("sourceRemoval() keeps a source that is written again while its bytes are read", async () => {
  const real = createSystem();
  let removing = false;
  await using rig = await outboxRig({
    system: {
      async hash(path, signal) {
        const digest = await real.hash(path, signal);
        if (removing) await Deno.writeTextFile(pathToRead(path), "omega");
        return digest;
      },
    },
  });
  await delivered(rig);
  removing = true;
  await removal(rig).pass(never);
  assertEquals([await isThere(rig), await rig.folder.read("data/a.fits")], [true, "omega"]);
});

Deno.test("sourceRemoval() takes nothing for removed while the watched folder is away", async () => {
  await using rig = await outboxRig();
  await delivered(rig);
  await Deno.rename(rig.folder.at("data"), rig.folder.at("away"));
  await removal(rig).pass(never);
  assertEquals(rig.ledger.removable("spring", ["nas"], 10).length, 1);
  await Deno.rename(rig.folder.at("away"), rig.folder.at("data"));
  await removal(rig).pass(never);
  assertEquals([await isThere(rig), rig.ledger.removable("spring", ["nas"], 10)], [false, []]);
});

Deno.test("sourceRemoval() removes nothing more once its job is stopped", async () => {
  const stopping = new AbortController();
  const real = createSystem();
  await using rig = await outboxRig({ system: { hash: (path) => real.hash(path, never) } });
  await rig.admit("b.fits", "beta");
  await delivered(rig);
  await rig.soon(() => rig.state("b.fits") === "delivered", "delivered");
  await removal(rig, {}, { emit: () => stopping.abort() }).pass(stopping.signal);
  assertEquals([await isThere(rig, "a.fits"), await isThere(rig, "b.fits")].toSorted(), [false, true]);
});

Deno.test(
  "sourceRemoval() keeps a source whose copy lies behind a link of another account now, and removes the others",
  needs("root"),
  async () => {
    await using there = await tempFolder();
    const destination = { basePath: there.at("images") };
    await Deno.mkdir(destination.basePath);
    await using rig = await outboxRig({ destination, tools: { method: local } });
    const names = ["theirs/a.fits", "real/b.fits"];
    for (const name of names) await rig.admit(name, "alpha");
    rig.start();
    await rig.until(() => names.every((name) => rig.state(name) === "delivered"), "delivered");
    await Deno.rename(there.at("images/theirs"), there.at("theirs"));
    await Deno.symlink(there.at("theirs"), there.at("images/theirs"));
    await new Deno.Command("chown", { args: ["-h", "54321", there.at("images/theirs")] }).output();
    await removal(rig).pass(never);
    assertEquals(await Promise.all(names.map((name) => isThere(rig, name))), [true, false]);
  },
);

Deno.test("sourceRemoval() keeps a source whose target was given to another file of the same size", async () => {
  await using rig = await outboxRig({ destination: { onConflict: "overwrite" } });
  await delivered(rig);
  const mine = rig.fake.files.get("a.fits")!;
  rig.fake.files.set("a.fits", { ...mine, bytes: new TextEncoder().encode("other") });
  await removal(rig).pass(never);
  assertEquals(await isThere(rig), true);
  rig.fake.files.set("a.fits", mine);
  await removal(rig).pass(never);
  assertEquals(await isThere(rig), false);
});

Deno.test("sourceRemoval() leaves alone what was moved elsewhere and is only linked into the watched folder", async () => {
  await using rig = await outboxRig();
  await Deno.mkdir(rig.folder.at("data", "night"));
  await rig.soonBecomes("night/a.fits", "alpha", "delivered");
  await Deno.rename(rig.folder.at("data", "night"), rig.folder.at("archive"));
  await Deno.symlink(rig.folder.at("archive"), rig.folder.at("data", "night"));
  await removal(rig).pass(never);
  assertEquals(await Deno.readTextFile(rig.folder.at("archive", "a.fits")), "alpha");
});

Deno.test("sourceRemoval() keeps what was rewritten under the same times, within the second that ctime is told in", async () => {
  await using rig = await outboxRig();
  // At the beginning of a second.
  await new Promise((resolve) => setTimeout(resolve, 1010 - Date.now() % 1000));
  await rig.admit("a.fits", "alpha");
  const path = rig.folder.at("data", "a.fits");
  const { mtime } = await Deno.stat(path);
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  await Deno.writeTextFile(pathToRead(path), "omega");
  await Deno.utime(path, mtime!, mtime!);
  await removal(rig).pass(never);
  assertEquals(await Deno.readTextFile(path).catch(() => "removed, delivered nowhere"), "omega");
});

Deno.test("sourceRemoval() says nothing of a file that it was reading when the job was stopped", async () => {
  const stopping = new AbortController();
  const real = createSystem();
  await using rig = await outboxRig({
    system: {
      async hash(path, signal) {
        if (signal === stopping.signal) stopping.abort();
        return await real.hash(path, signal);
      },
    },
  });
  await delivered(rig);
  await removal(rig).pass(stopping.signal);
  const notices = rig.events.filter(({ type }) => type === "notice");
  assertEquals([stopping.signal.aborted, notices, await rig.folder.read("data/a.fits")], [true, [], "alpha"]);
});

Deno.test("sourceRemoval() looks again for whoever asks while a pass ends", async () => {
  for (let turns = 0; turns < 12; turns++) {
    let looks = 0;
    let asked: Promise<void> | null = null;
    const job = aJob("/data", { deleteSource: true });
    const ledger = {
      removable() {
        looks++;
        const ask = (left: number) => queueMicrotask(() => left > 0 ? ask(left - 1) : asked ??= removing.pass(never));
        ask(turns);
        return [];
      },
      markRemoved: () => {},
    };
    const removing = sourceRemoval(job, [], { system: createSystem(), ledger, emit: () => {} });
    await removing.pass(never);
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    await asked;
    assertEquals(looks, 2, `asked ${turns} microtasks after the first look`);
  }
});
Deno.test("sourceRemoval() keeps a source of which an audit finds a copy damaged while its bytes are read", async () => {
  for (const then of ["fail", "send_again"] as const) {
    const real = createSystem();
    let find = () => {};
    await using rig = await outboxRig({
      system: {
        async hash(path, signal) {
          find();
          return await real.hash(path, signal);
        },
      },
    });
    await delivered(rig);
    const { id } = rig.delivery("a.fits");
    const found = { equal: 0, unproven: 0, damaged: 1, vanished: 0, changed: 0, unreadable: 0 };
    const run = { begunAt: 1, endedAt: null, goal: 1, found, sentAgain: 0, lookedTo: id, lapAt: 1 };
    find = () =>
      void rig.ledger.recordAudit("spring", "nas", run, [{ id, verdict: "damaged", reason: "Rotten", then, hint: "" }], 2);
    await removal(rig).pass(never);
    assertEquals(await isThere(rig), true, then);
  }
});

Deno.test("sourceRemoval() keeps the source that it was looking at when the job was stopped", async () => {
  const stopping = new AbortController();
  const real = createSystem();
  let wasRead = false;
  await using rig = await outboxRig({
    system: {
      async hash(path, signal) {
        const digest = await real.hash(path, signal);
        wasRead = signal === stopping.signal;
        return digest;
      },
      async facts(path) {
        if (wasRead) stopping.abort();
        return await real.facts(path);
      },
    },
  });
  await delivered(rig);
  await removal(rig).pass(stopping.signal);
  assertEquals([stopping.signal.aborted, await isThere(rig)], [true, true]);
});
