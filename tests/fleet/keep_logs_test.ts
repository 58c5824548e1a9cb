/** Log lines on their way to the disk: one that cannot write for a moment. */
import { assertEquals } from "@std/assert";
import { bell } from "../../src/async/bell.ts";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import { keepLogs } from "../../src/fleet/log_upload.ts";
import type { PocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { until } from "../support/until.ts";
import { tempFolder } from "../support/temp.ts";

/** Time runs so much faster. */
const FASTER = 1_000;

/** Keeps the log in this folder while `say` is given lines; the disk refuses to write as long as `isFull()`. */
async function keeping(folder: string, isFull: () => boolean, during: (say: (message: string) => void) => Promise<void>) {
  const real = createSystem();
  const system = {
    ...real,
    sleep: (ms: number, signal?: AbortSignal) => real.sleep(ms / FASTER, signal!),
    writeText: async (...call: Parameters<typeof real.writeText>) => {
      if (isFull()) throw new Error("No space left on device");
      await real.writeText(...call);
    },
  };
  const heard = Promise.withResolvers<(event: TransferEvent) => void>();
  const done = new AbortController();
  const kept = keepLogs({
    system,
    server: {} as PocketbaseServer,
    folder: () => folder,
    lowest: () => "info",
    identify: () => Promise.reject(new Error("The server is away")),
    listen: (listener) => (heard.resolve(listener), () => {}),
    attempt: (_part, work) => work().then(() => true, () => false),
    uploaded: () => {},
    back: bell(system),
    lastWords: () => Promise.resolve(),
  }, done.signal);
  const listener = await heard.promise;
  await during((message) => listener({ at: real.now(), type: "notice", level: "info", message }));
  done.abort();
  await kept;
}

async function messagesIn(folder: string): Promise<string[]> {
  const texts = await Array.fromAsync(Deno.readDir(folder), ({ name }) => Deno.readTextFile(`${folder}/${name}`));
  return texts.join("").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line).message);
}

Deno.test("lines that the disk refuses are put there as soon as it takes them", async () => {
  await using folder = await tempFolder();
  const spool = folder.at("spool");
  let isFull = false;
  let refused = 0;
  await keeping(spool, () => isFull && ++refused > 0, async (say) => {
    say("first");
    await until(async () => (await messagesIn(spool).catch(() => [])).length === 1, "the first line is on the disk");
    isFull = true;
    say("second");
    await until(() => Promise.resolve(refused > 0), "the disk refuses a line");
    isFull = false;
    say("third");
    // A part that gets its name meanwhile cannot be read.
    await until(async () => (await messagesIn(spool).catch(() => [])).length === 3, "all lines are on the disk");
  });
  assertEquals((await messagesIn(spool)).toSorted(), ["first", "second", "third"]);
});

Deno.test("a disk that refuses the last lines ends nothing else", async () => {
  await using folder = await tempFolder();
  await keeping(folder.at("spool"), () => true, (say) => Promise.resolve(say("the last one")));
});
