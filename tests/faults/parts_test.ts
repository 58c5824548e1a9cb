/**
 * A large file is interrupted in the middle: by a stop, by a reload, in a run with --once. What has arrived stays, the next
 * start goes on there, and what nobody will go on with is swept. Bytes are counted on the wire; a local file must be the very
 * same that the part was.
 */
import { assert, assertEquals } from "@std/assert";
import type { RunningDaemon } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { stagingRemains } from "../support/observer.ts";
import { until } from "../support/until.ts";
import { configure, each, everyDelivered, makeRig, type Rig } from "./rig.ts";

const SIZE = 16_000_000;
const PART = 9_000_000;
/** Sent in all where the part is gone on with; without, at least `PART + SIZE`. */
const MOST = SIZE + 4_000_000;

const METHODS = ["local", "rsync", "tar", "sftp"] as const;

each(METHODS, "a stop keeps the part of a large file, and the next start goes on there", async (method) => {
  await using rig = await rigOf(method);
  using part = await interrupt(rig, [], async (daemon) => {
    assertEquals(await daemon.stop(), 0);
  });
  assert(await rig.staged() >= PART, "the part is gone");
  await using daemon = await rig.installation.start();
  await rig.installation.until(everyDelivered(1), 60);
  assertEquals(await daemon.stop(), 0);
  await wentOn(rig, part);
});

each(METHODS, "a reload with another bandwidth_limit keeps the part of a large file, and goes on there", async (method) => {
  await using rig = await rigOf(method);
  await using daemon = await rig.installation.start();
  using part = await partOf(rig);
  await reload(rig, { bandwidth_limit: "20 MB/s" });
  await rig.installation.until(everyDelivered(1), 60);
  assertEquals(await daemon.stop(), 0);
  await wentOn(rig, part);
});

each(METHODS, "run --once that is interrupted keeps the part of a large file, and the next one goes on there", async (method) => {
  await using rig = await rigOf(method);
  using part = await interrupt(rig, ["--once"], async (daemon) => {
    daemon.kill("SIGINT");
    assertEquals(await daemon.ended, 1);
  });
  assert(await rig.staged() >= PART, "the part is gone");
  const { code, stderr } = await rig.installation.command(["run", "--once"]);
  assertEquals(code, 0, stderr);
  await wentOn(rig, part);
});

each(METHODS, "a part that was spoilt meanwhile never becomes a wrong file, and costs no attempt", async (method) => {
  await using rig = await rigOf(method);
  using part = await interrupt(rig, [], async (daemon) => {
    assertEquals(await daemon.stop(), 0);
  });
  await part.write(new TextEncoder().encode("other bytes than those that were sent"));
  await using daemon = await rig.installation.start();
  const rows = await rig.installation.until(everyDelivered(1), 60);
  assertEquals(rows.map(({ attempts }) => attempts), [1]);
  await rig.endsWell(daemon, rows);
});

Deno.test("the part that rsync left is gone on with where auto chooses tar now", needs("sshd", "rsync"), async () => {
  await using rig = await rigOf("rsync");
  using part = await interrupt(rig, [], async (daemon) => {
    assertEquals(await daemon.stop(), 0);
  });
  await configure(rig, { transfer_method: "auto" });
  await using daemon = await rig.installation.start();
  const rows = await rig.installation.until(everyDelivered(1), 60);
  assertEquals(rows.map(({ method }) => method), ["tar"]);
  assertEquals(await daemon.stop(), 0);
  await wentOn(rig, part);
});

Deno.test("the part of a file that has another version meanwhile is swept, and the new version arrives", async () => {
  await using rig = await rigOf("local");
  using _part = await interrupt(rig, [], async (daemon) => {
    assertEquals(await daemon.stop(), 0);
  });
  const content = fitsFile(300_000, 99);
  await Deno.writeFile(`${rig.watched}/large.fits`, content);
  await rig.expect("large.fits", content);
  await using daemon = await rig.installation.start();
  const rows = await rig.installation.until((rows) => rows.length === 2 && everyDelivered(1)(rows), 60);
  await rig.endsWell(daemon, rows);
});

Deno.test("a destination that moves elsewhere by a reload leaves no part behind", async () => {
  await using rig = await rigOf("local");
  await using daemon = await rig.installation.start();
  await until(async () => await rig.staged() >= PART, "a part of it is there");
  await Deno.mkdir(rig.folder.at("elsewhere"));
  await reload(rig, { remote_base_path: rig.folder.at("elsewhere") });
  await until(async () => (await stagingRemains(rig.there)).length === 0, "nothing is left at the former place");
  await rig.installation.until(everyDelivered(1), 60);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a crash, then a start that ends before the destination was looked at: the part is kept", async () => {
  await using rig = await rigOf("local");
  using part = await interrupt(rig, [], async (daemon) => {
    daemon.kill("SIGKILL");
    await daemon.ended;
    assertEquals((await rig.installation.command(["pause"])).code, 0);
  });
  {
    await using paused = await rig.installation.start();
    assertEquals(await paused.stop(), 0);
  }
  assert(await rig.staged() >= PART, "the part is gone");
  await using daemon = await rig.installation.start();
  assertEquals((await rig.installation.command(["resume"])).code, 0);
  await rig.installation.until(everyDelivered(1), 60);
  assertEquals(await daemon.stop(), 0);
  await wentOn(rig, part);
});

/** A large file, at a speed that leaves time to interrupt it. */
async function rigOf(method: typeof METHODS[number]): Promise<Rig> {
  const rig = await makeRig({
    method,
    config: { shutdown_timeout_seconds: 0, ...(method === "local" ? { bandwidth_limit: "4 MB/s" } : {}) },
    proxy: { rate: 4_000_000 },
  });
  await rig.expose("large.fits", SIZE);
  return rig;
}

/** Starts a daemon, and interrupts it when a part is there. */
async function interrupt(
  rig: Rig,
  args: readonly string[],
  how: (daemon: RunningDaemon) => Promise<void>,
): Promise<Deno.FsFile> {
  await using daemon = await rig.installation.start({ args, wait: args.length === 0 });
  const part = await partOf(rig);
  await how(daemon);
  return part;
}

/** The part, when enough of it is there; open, so that its number is given to no other file. */
async function partOf(rig: Rig): Promise<Deno.FsFile> {
  await until(async () => await rig.staged() >= PART, "a part of it is there");
  for await (const path of partsIn(rig.there)) return await Deno.open(path, { read: true, write: true });
  throw new Error("there is no part");
}

/** It was delivered at the first attempt, and of its bytes few were sent twice. */
async function wentOn(rig: Rig, part: Deno.FsFile): Promise<void> {
  const { proxy } = rig;
  if (proxy) assert(proxy.counters.up >= SIZE && proxy.counters.up < MOST, `${proxy.counters.up} bytes were sent`);
  else assertEquals((await Deno.stat(`${rig.there}/large.fits`)).ino, (await part.stat()).ino);
  const rows = await rig.installation.history();
  assertEquals(rows.map(({ attempts }) => attempts), [1]);
  await rig.allIsWell(rows);
}

async function reload(rig: Rig, changes: Readonly<Record<string, unknown>>): Promise<void> {
  await configure(rig, changes);
  assertEquals((await rig.installation.command(["reload"])).code, 0);
}

async function* partsIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* partsIn(path);
    else if (path.includes("/.image-transfer-")) yield path;
  }
}
