/**
 * Large files are sent while they are still being written, by writers that pause, go back to their header, die, cut the file short and
 * write it anew, while daemons are killed, lines cut and peers frozen. Whatever was sent early, only the finished file is ever shown;
 * and where nothing went wrong, few bytes are sent twice.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fitsFile } from "../support/fits_maker.ts";
import { pause, until } from "../support/until.ts";
import { each, everyDelivered, makeRig, needsFor, type Rig, type RigOptions } from "./rig.ts";

const MB = 1_000_000;
const SIZE = 64 * MB;
/** The daemon sends chunks of so many bytes. */
const CHUNK = 8 * 1024 * 1024;
const HALF = 40 * MB;
/** What must be there of a file of which half is written: all but the margin, in whole chunks. */
const EARLY = 24 * MB;

const METHODS = ["local", "rsync", "tar", "sftp"] as const;
type MethodName = typeof METHODS[number];

each(METHODS, "a file that grows is there when it is closed, and little of it is sent twice", async (method) => {
  await using rig = await rigOf(method);
  await using daemon = await rig.installation.start();
  const content = await contentOf(rig, 1);
  await using writer = await open(rig);
  await sendHalf(rig, writer, content);
  assertEquals(await rig.installation.history(), [], "an unfinished file has become a delivery");
  const sent = sentFromNow(rig);
  await writer.write(content.subarray(HALF));
  await writer.close();
  const rows = await rig.installation.until(everyDelivered(1), 60);
  assertEquals(rows.map(({ attempts }) => attempts), [1]);
  assert(sent() < SIZE - EARLY + CHUNK, `${sent()} bytes were sent`);
  await rig.endsWell(daemon, rows);
});

each(
  METHODS,
  "a header written last, and bytes in the middle written again, arrive as they are in the end",
  async (method) => {
    await using rig = await rigOf(method);
    await using daemon = await rig.installation.start();
    const content = await contentOf(rig, 2);
    await using writer = await open(rig);
    // A header that is made up at first, as long as the last one.
    await writer.write(new Uint8Array(2880).fill(0x20));
    await writer.write(content.map((byte, index) => index > 12 * MB && index < 12 * MB + 100 ? 0 : byte).subarray(2880, HALF));
    await halfSent(rig);
    const sent = sentFromNow(rig);
    await writer.write(content.subarray(HALF));
    await writer.overwrite(12 * MB, content.subarray(12 * MB, 12 * MB + 101));
    await writer.overwrite(0, content.subarray(0, 2880));
    await writer.close();
    const rows = await rig.installation.until(everyDelivered(1), 60);
    assertEquals(rows.map(({ attempts }) => attempts), [1]);
    assert(sent() < SIZE - EARLY + 3 * CHUNK, `${sent()} bytes were sent`);
    await rig.endsWell(daemon, rows);
  },
);

each(METHODS, "a daemon is killed while a file grows: the next one goes on with what is there", async (method) => {
  await using rig = await rigOf(method);
  const content = await contentOf(rig, 3);
  await using writer = await open(rig);
  {
    await using daemon = await rig.installation.start();
    await sendHalf(rig, writer, content);
    daemon.kill("SIGKILL");
    await daemon.ended;
  }
  const sent = sentFromNow(rig);
  await using daemon = await rig.installation.start();
  const written = await writeUntil(rig, writer, content, HALF, /are there already/);
  await until(async () => await rig.staged() >= EARLY + CHUNK, "more is sent before the file is finished");
  await writer.write(content.subarray(written));
  await writer.close();
  const rows = await rig.installation.until(everyDelivered(1), 60);
  assert(sent() < SIZE - EARLY + CHUNK, `${sent()} bytes were sent`);
  await rig.endsWell(daemon, rows, { crashed: true });
});

each(METHODS, "a file that is finished while no daemon runs is completed from what was sent of it before", async (method) => {
  await using rig = await rigOf(method);
  const content = await contentOf(rig, 4);
  await using writer = await open(rig);
  {
    await using daemon = await rig.installation.start();
    await sendHalf(rig, writer, content);
    assertEquals(await daemon.stop(), 0);
  }
  assert(await rig.staged() >= EARLY, "a clean stop has removed what was sent");
  await writer.write(content.subarray(HALF));
  await writer.overwrite(100, content.subarray(100, 200));
  await writer.close();
  const sent = sentFromNow(rig);
  await using daemon = await rig.installation.start();
  const rows = await rig.installation.until(everyDelivered(1), 60);
  assert(sent() < SIZE - EARLY + CHUNK, `${sent()} bytes were sent`);
  await rig.endsWell(daemon, rows);
});

each(["local", "tar"], "what was spoilt at the destination meanwhile never becomes a wrong file", async (method) => {
  await using rig = await rigOf(method);
  const content = await contentOf(rig, 5);
  await using writer = await open(rig);
  {
    await using daemon = await rig.installation.start();
    await sendHalf(rig, writer, content);
    daemon.kill("SIGKILL");
    await daemon.ended;
  }
  await spoil(rig.there);
  await writer.write(content.subarray(HALF));
  await writer.close();
  await using daemon = await rig.installation.start();
  await rig.endsWell(daemon, 1, { crashed: true });
});

each(
  ["local", "sftp"],
  "a file that is cut short and written anew while it grows arrives as it is in the end",
  async (method) => {
    await using rig = await rigOf(method);
    await using daemon = await rig.installation.start();
    const content = await contentOf(rig, 6);
    await using writer = await open(rig);
    await writer.write(new Uint8Array(HALF).fill(7));
    await halfSent(rig);
    await writer.truncate(1000);
    await until(async () => await rig.staged() === 0, "what was sent of the former content is removed");
    await writer.truncate(0);
    await writer.write(content);
    await writer.close();
    await rig.endsWell(daemon, 1);
  },
);

for (const point of ["during_put", "after_put", "after_verify", "after_publish", "before_record"]) {
  Deno.test(
    `a daemon that dies ${point} with a file that was sent while it grew leaves nothing that is wrong or left over`,
    needsFor("tar"),
    async () => {
      for (const method of ["local", "tar"] as const) {
        await using rig = await rigOf(method);
        const content = await contentOf(rig, 11);
        await using writer = await open(rig);
        {
          await using daemon = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: point } });
          await sendHalf(rig, writer, content);
          await writer.write(content.subarray(HALF));
          await writer.close();
          assertEquals(await daemon.ended, 137);
        }
        await using daemon = await rig.installation.start();
        await rig.endsWell(daemon, 1, { crashed: true });
      }
    },
  );
}

Deno.test("a file that grows is shown by status; one that vanishes then leaves nothing behind", async () => {
  await using rig = await rigOf("local");
  await using daemon = await rig.installation.start();
  await using writer = await open(rig);
  await writer.write(fitsFile(SIZE, 7).subarray(0, HALF));
  await halfSent(rig);
  const { stdout } = await rig.installation.command(["status", "--json"]);
  const [{ growing: [shown] }] = JSON.parse(stdout).jobs;
  assertEquals([shown.path, shown.size, shown.stalled, shown.sent.length], [`${rig.watched}/cube.fits`, HALF, false, 1]);
  assert(shown.sent[0].destination === "local" && shown.sent[0].bytes >= EARLY && shown.sent[0].bytes < HALF, stdout);
  assertMatch(
    (await rig.installation.command(["status"])).stdout,
    /cube\.fits is growing: 40 MB, [\d.]+ MB\s+sent\s+to\s+local\s+already/,
  );
  await Deno.remove(`${rig.watched}/cube.fits`);
  await until(async () => await rig.staged() === 0, "what was sent is removed");
  assertEquals(await rig.installation.history(), []);
  assertEquals(await daemon.stop(), 0);
  await rig.allIsWell([]);
});

Deno.test("a writer that dies leaves an incomplete file, which is listed; what was sent is removed, and the file arrives when it is completed", async () => {
  await using rig = await rigOf("local", { config: { incomplete_after: 2 } });
  await using daemon = await rig.installation.start();
  const content = await contentOf(rig, 8);
  {
    await using writer = await open(rig);
    await sendHalf(rig, writer, content);
  }
  await rig.installation.untilLog(/Incomplete, not sent: cube.fits/);
  await until(async () => await rig.staged() === 0, "what was sent is removed");
  await using writer = await open(rig);
  await writer.overwrite(HALF, content.subarray(HALF));
  await writer.close();
  await rig.endsWell(daemon, 1);
});

Deno.test(
  "the line is cut, and the peer freezes, while a file grows: it arrives all the same, and the daemon goes on with what is there",
  needsFor("tar"),
  async () => {
    for (const method of ["tar", "sftp"] as const) {
      await using rig = await rigOf(method, { config: { transfer_timeout_seconds: 5 } });
      await using daemon = await rig.installation.start();
      const content = await contentOf(rig, 9);
      await using writer = await open(rig);
      await sendHalf(rig, writer, content);
      await rig.server!.dropConnections();
      const written = await writeUntil(rig, writer, content, HALF, /are there already/);
      await rig.server!.freeze();
      await writer.write(content.subarray(written));
      await writer.close();
      await pause(7_000);
      await rig.server!.thaw();
      await rig.endsWell(daemon, 1);
    }
  },
);

Deno.test("finished files do not wait for one that grows, and a limit holds for both together", async () => {
  await using rig = await rigOf("local", { config: { bandwidth_limit: "8 MB/s" } });
  await using daemon = await rig.installation.start();
  await using writer = await open(rig);
  await writer.write(fitsFile(SIZE, 10));
  await until(async () => await rig.staged() > 0, "it is being sent");
  await rig.expose("small.fits", 300_000);
  const rows = await rig.installation.until(everyDelivered(1), 30);
  await Deno.remove(`${rig.watched}/cube.fits`);
  await until(async () => await rig.staged() === 0, "what was sent is removed");
  await rig.endsWell(daemon, rows);
});

/** A camera has written the first half, and it is sent before the file is finished. */
async function sendHalf(rig: Rig, writer: Awaited<ReturnType<typeof open>>, content: Uint8Array): Promise<void> {
  await writer.write(content.subarray(0, HALF));
  await halfSent(rig);
}

function halfSent(rig: Rig): Promise<void> {
  return until(async () => await rig.staged() >= EARLY, "the first half is sent before the file is finished");
}

/** Gives how many bytes have gone over the line since. */
function sentFromNow({ proxy }: Rig): () => number {
  const before = proxy?.counters.up ?? 0;
  return () => (proxy?.counters.up ?? 0) - before;
}

/** Changes bytes in what lies in staging. */
async function spoil(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await spoil(path);
    else if (path.includes("/.image-transfer-")) {
      using file = await Deno.open(path, { write: true });
      await file.seek(CHUNK + 5, Deno.SeekMode.Start);
      await file.write(new TextEncoder().encode("other bytes than those that were sent"));
    }
  }
}

function rigOf(method: MethodName, options: Partial<RigOptions> = {}): Promise<Rig> {
  return makeRig({
    method,
    ...(method === "local" ? {} : { proxy: {} }),
    ...options,
    config: {
      growing_files: { min_size_mb: 1, safety_margin_mb: 1, growth_timeout_seconds: 30 },
      rescan_interval: 2,
      ...options.config,
    },
  });
}

/** What the file is in the end; nothing else may ever be shown. */
async function contentOf(rig: Rig, seed: number): Promise<Uint8Array<ArrayBuffer>> {
  const content = fitsFile(SIZE, seed);
  await rig.expect("cube.fits", content);
  return content;
}

/** A camera that has the file open. */
async function open(rig: Rig, name = "cube.fits") {
  const file = await Deno.open(`${rig.watched}/${name}`, { write: true, create: true });
  let isOpen = true;
  const close = () => {
    if (isOpen) file.close();
    isOpen = false;
    return Promise.resolve();
  };
  return {
    /** In steps, as a camera writes. */
    async write(bytes: Uint8Array) {
      for (let at = 0; at < bytes.length;) {
        at += await file.write(bytes.subarray(at, at + 4 * MB));
        await pause(30);
      }
    },
    async overwrite(offset: number, bytes: Uint8Array) {
      await file.seek(offset, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.seek(0, Deno.SeekMode.End);
    },
    truncate: async (length: number) => {
      await file.truncate(length);
      await file.seek(length, Deno.SeekMode.Start);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Writes on, slowly, until the log says so; gives how much is written. Only a file that is seen to grow is sent early. */
async function writeUntil(
  rig: Rig,
  writer: Awaited<ReturnType<typeof open>>,
  content: Uint8Array,
  from: number,
  pattern: RegExp,
): Promise<number> {
  const step = 250_000;
  let at = from;
  await until(
    async () => {
      if (at + 2 * step < content.length) await writer.write(content.subarray(at, at += step));
      await pause(200);
      return pattern.test(await rig.installation.log());
    },
    String(pattern),
    90,
  );
  return at;
}
