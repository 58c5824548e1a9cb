import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { stripAnsiCode } from "@std/fmt/colors";
import { join } from "@std/path";
import type { Delivery } from "../../src/domain/delivery.ts";
import { Failure, failureRecord } from "../../src/domain/failure.ts";
import { verify } from "../../src/domain/receipt.ts";
import type { LogSettings } from "../../src/config/settings.ts";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import { openLog } from "../../src/events/log.ts";
import { logLine } from "../../src/events/log_line.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { tempFolder } from "../support/temp.ts";

const digest = { bytes: 5, sha256: "ab".repeat(32) };

function aDelivery(state: Delivery["state"], path = "/data/m31.fits"): Delivery {
  const source = { job: "default", path: path.slice(6), absolutePath: path, size: 5, mtimeMs: 0, ctimeMs: 0, identity: "1:2" };
  return {
    id: 7,
    source,
    destination: "freya",
    method: "rsync",
    target: "m31.fits",
    night: "20261120",
    attempts: 0,
    queuedAt: 0,
    state,
  };
}
const delivered = (path?: string): TransferEvent => ({
  at: 0,
  type: "delivered",
  delivery: aDelivery({ state: "delivered", receipt: verify(digest, digest, "checksum", 0) }, path),
});
const failed = (code: "mismatch" | "superseded"): TransferEvent => ({
  at: 0,
  type: "failed",
  delivery: aDelivery({
    state: "failed",
    failure: failureRecord(new Failure(code, "bytes differ", { hint: "Look at the disk" })),
  }),
});

function settings(directory: string, more: Partial<LogSettings> = {}): LogSettings {
  return {
    level: "info",
    directory,
    file: "image_transfer.log",
    maxBytes: 1e7,
    backupCount: 5,
    format: "text",
    namesDestinations: false,
    ...more,
  };
}
const system = createSystem();

async function written(events: readonly TransferEvent[], more: Partial<LogSettings> = {}): Promise<string> {
  await using folder = await tempFolder();
  await using log = await openLog(settings(folder.path, more), null, system, (message) => assert(false, message));
  events.forEach((event) => log.listen(event));
  await log[Symbol.asyncDispose]();
  return await Deno.readTextFile(join(folder.path, "image_transfer.log"));
}

Deno.test("the log ends a success line with the path, as scripts with awk '{print $NF}' expect", async () => {
  assertMatch(await written([delivered()]), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO Successfully transferred \/data\/m31\.fits\n$/);
});

Deno.test("the log says of a file that was found there that it was, in a line of its own kind", async () => {
  const found = { ...delivered(), found: true } as TransferEvent;
  assertMatch(await written([found]), / INFO Already at the destination, verified: \/data\/m31\.fits\n$/);
  assertMatch(
    await written([found], { namesDestinations: true }),
    / INFO \[freya\] Already at the destination, verified: \/data\/m31\.fits\n$/,
  );
});

Deno.test("the log names the destination before the phrase where there are several, so that the path stays last", async () => {
  const text = await written([delivered(), failed("mismatch")], { namesDestinations: true });
  const [success = "", failure = ""] = text.split("\n");
  assertMatch(success, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO \[freya\] Successfully transferred \/data\/m31\.fits$/);
  assertMatch(failure, / ERROR \[freya\] Failed to transfer \/data\/m31\.fits: bytes differ/);
  const row = JSON.parse(await written([delivered()], { namesDestinations: true, format: "json" }));
  assertEquals([row.message, row.destination], ["Successfully transferred /data/m31.fits", "freya"]);
});

Deno.test("the log on a terminal says where to as well", async () => {
  await using folder = await tempFolder();
  const lines: string[] = [];
  const output = { pretty: true, write: (text: string) => void lines.push(stripAnsiCode(text)) };
  await using log = await openLog(settings(folder.path), output, system, (message) => assert(false, message));
  log.listen(delivered());
  assertMatch(lines.join(""), /^\d\d:\d\d:\d\d ✓ Successfully transferred \/data\/m31\.fits → freya\n$/);
});

Deno.test("the log says a final failure once, with reason and hint", async () => {
  const text = await written([failed("mismatch")]);
  assertMatch(text, / ERROR Failed to transfer \/data\/m31\.fits: bytes differ\. Look at the disk\n$/);
});

Deno.test("the log keeps its two phrases out of every other line", () => {
  const failure = failureRecord(new Failure("mismatch", "bytes differ"));
  const events: TransferEvent[] = [
    { at: 0, type: "queued", delivery: aDelivery({ state: "queued" }) },
    { at: 0, type: "deferred", delivery: aDelivery({ state: "deferred", retryAt: 0, failure }) },
    {
      at: 0,
      type: "destination",
      job: "spring",
      name: "freya",
      now: { state: "on_hold", failure, until: 0 },
      before: { state: "open" },
    },
    { at: 0, type: "incomplete", job: "default", path: "a", reason: "short" },
    { at: 0, type: "refused", job: "default", path: "a", failure },
    failed("superseded"),
  ];
  for (const event of events) {
    assert(!/Successfully transferred|Failed to transfer/.test(logLine(event)?.message ?? ""), event.type);
  }
});

Deno.test("the log lets no file name forge a line or fill a placeholder", async () => {
  const text = await written([delivered("/data/a{path}\n2026-01-01 00:00:00 INFO Successfully transferred /etc/b.fits")]);
  assertEquals(text.split("\n").length, 2);
  assertStringIncludes(text, "a{path}\\n2026");
});

Deno.test("the log writes JSON lines with the fields of the delivery", async () => {
  const row = JSON.parse(await written([delivered()], { format: "json" }));
  assertEquals(row.attempts, 1, "as history counts");
  assertEquals([row.level, row.message, row.path, row.destination, row.proof, row.sha256], [
    "INFO",
    "Successfully transferred /data/m31.fits",
    "/data/m31.fits",
    "freya",
    "checksum",
    digest.sha256,
  ]);
});

Deno.test("the log keeps stacks for internal errors only", async () => {
  const text = await written([
    { at: 0, type: "notice", level: "error", message: "Internal error", error: new TypeError("x is undefined") },
    { at: 0, type: "notice", level: "error", message: "Plain", error: new Failure("disk_full", "the disk is full") },
  ]);
  assertEquals(text.match(/^ {8}at /gm)?.length ? 1 : 0, 1);
  assertStringIncludes(text, "TypeError: x is undefined");
  assert(!text.includes("Failure: the disk"), text);
});

Deno.test("the log rotates and keeps as many old files as asked", async () => {
  await using folder = await tempFolder();
  for (let i = 0; i < 6; i++) {
    await using log = await openLog(
      settings(folder.path, { maxBytes: 300, backupCount: 2 }),
      null,
      system,
      (message) => assert(false, message),
    );
    for (let n = 0; n < 4; n++) log.listen(delivered());
    await log[Symbol.asyncDispose]();
  }
  const names = (await Array.fromAsync(Deno.readDir(folder.path))).map((entry) => entry.name).sort();
  assertEquals(names, ["image_transfer.log", "image_transfer.log.1", "image_transfer.log.2"]);
});

Deno.test("the log writes its lines half a second after the first, or when there are many, and has no timer while it is idle", async () => {
  await using folder = await tempFolder();
  const clock = createFakeClock({ realFiles: true, startMs: 0 });
  await using log = await openLog(
    settings(folder.path),
    null,
    { makeFolder: system.makeFolder, sleep: clock.sleep },
    (message) => assert(false, message),
  );
  const file = join(folder.path, "image_transfer.log");
  const lines = async () => (await Deno.readTextFile(file)).split("\n").length - 1;
  log.listen(delivered());
  log.listen(delivered());
  await clock.advance(499);
  assertEquals(await lines(), 0);
  await clock.advance(1);
  while (await lines() < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(clock.sleeping, 0);
  for (let n = 0; n < 500; n++) log.listen(delivered());
  while (await lines() < 502) await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("openLog() says when the file cannot be written, and the console goes on", async () => {
  await using folder = await tempFolder();
  await Deno.writeTextFile(join(folder.path, "taken"), "");
  const troubles: string[] = [];
  const lines: string[] = [];
  const output = { pretty: false, write: (text: string) => void lines.push(text) };
  await using log = await openLog(settings(join(folder.path, "taken")), output, system, (message) => troubles.push(message));
  log.listen(delivered());
  assertMatch(troubles.join(), /^Cannot write the log file ".*image_transfer\.log": .* Set log_directory/);
  assertMatch(lines.join(), /Successfully transferred \/data\/m31\.fits/);
});

Deno.test("the log says in one plain line that its disk is full, however many lines are lost, and the console goes on", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const troubles: string[] = [];
  const lines: string[] = [];
  const output = { pretty: false, write: (text: string) => void lines.push(text) };
  const full = { ...settings("/dev"), file: "full" };
  await using log = await openLog(
    full,
    output,
    { ...system, makeFolder: () => Promise.resolve() },
    (message) => troubles.push(message),
  );
  for (let n = 0; n < 500; n++) log.listen(delivered());
  await log[Symbol.asyncDispose]();
  assertEquals(troubles.length, 1);
  assertMatch(troubles[0]!, /^Cannot write the log file "\/dev\/full": No space left on device\. Delivery continues/);
  assertEquals(lines.length, 500);
});

Deno.test({
  name: "the log goes on in a new file after one that could not be rotated, because somebody had removed it",
  // Windows removes no file that is open.
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await tempFolder();
    const troubles: string[] = [];
    const clock = createFakeClock({ realFiles: true, startMs: 0 });
    const files = { makeFolder: system.makeFolder, sleep: clock.sleep };
    await using log = await openLog(settings(folder.path, { maxBytes: 300 }), null, files, (message) => troubles.push(message));
    const file = join(folder.path, "image_transfer.log");
    const write = (name: string) => {
      for (let n = 0; n < 500; n++) log.listen(delivered(`/data/${name}_${n}.fits`));
    };
    const until = async (isSo: () => boolean | Promise<boolean>) => {
      while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    write("before");
    await until(async () => (await Deno.readTextFile(file)).includes("before_499"));
    await Deno.remove(file);
    write("lost");
    await until(() => troubles.length > 0);
    write("later");
    await log[Symbol.asyncDispose]();
    assertEquals(troubles.length, 1);
    assertStringIncludes(await Deno.readTextFile(file), "later_499.fits");
  },
});

Deno.test("the log says once which folder cannot be watched", () => {
  const failure = failureRecord(
    new Failure("source_gone", 'Cannot watch "/data": the folder is not there', { hint: "Make the folder." }),
  );
  const line = logLine({ at: 0, type: "not_watching", job: "spring", folder: "/data", failure });
  assertEquals(line?.message, 'Job spring: Cannot watch "/data": the folder is not there. Make the folder.');
});

Deno.test("the log tells an incomplete file that is not sent from one that is", () => {
  const incomplete = { at: 0, type: "incomplete", job: "default", path: "a.fits", reason: "short" } as const;
  assertEquals(logLine(incomplete)?.message, "Incomplete, not sent: a.fits: short");
  assertEquals(logLine({ ...incomplete, sent: true })?.message, "Incomplete, sent anyway: a.fits: short");
});

Deno.test("the log names a file that cannot be taken once", () => {
  const failure = failureRecord(new Failure("source_corrupt", 'Cannot send "a/b.fits": damaged', { hint: "Write it again." }));
  const event = { at: 0, type: "refused", job: "spring", path: "a/b.fits", failure } as const;
  assertEquals(logLine(event)?.message, "Rejected a/b.fits (job spring): damaged. Write it again.");
});

Deno.test("the log calls unreachable only what could not be reached", () => {
  const says = (code: "timeout" | "internal") => {
    const failure = failureRecord(new Failure(code, "why"));
    const now = { state: "backing_off", failure, until: 0 } as const;
    return logLine({ at: 0, type: "destination", job: "spring", name: "nas", now, before: { state: "open" } })?.message;
  };
  assertEquals(says("timeout"), "Destination nas cannot be reached: why");
  assertEquals(says("internal"), "Destination nas is unavailable: why");
});

Deno.test("logLine() tells all faults of a refused configuration in one line, without escapes", () => {
  const message = 'c.yaml:3:1: "watch_path" is missing\nc.yaml:4:1: unknown key "watch_pth"';
  const text = logLine({ at: 0, type: "reload_refused", message })?.message ?? "";
  assertStringIncludes(text, 'c.yaml:3:1: "watch_path" is missing; c.yaml:4:1: unknown key "watch_pth"');
});
