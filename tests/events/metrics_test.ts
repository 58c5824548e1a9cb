import { assertEquals, assertMatch } from "@std/assert";
import { defer, deliver, type Delivery, fail, send } from "../../src/domain/delivery.ts";
import { Failure, failureRecord } from "../../src/domain/failure.ts";
import { verify } from "../../src/domain/receipt.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import { type Gauges, metrics } from "../../src/events/metrics.ts";
import { assertGolden } from "../support/golden.ts";
import { needs, which } from "../support/needs.ts";

const START = Date.UTC(2026, 0, 15, 20);

function aDelivery(id: number, size: number): Delivery {
  return {
    id,
    source: {
      job: "spring",
      path: `${id}.fits`,
      absolutePath: `/data/${id}.fits`,
      size,
      mtimeMs: 0,
      ctimeMs: 0,
      identity: "",
    },
    destination: "freya",
    method: "rsync",
    target: `${id}.fits`,
    night: "20260115",
    attempts: 0,
    queuedAt: START,
    state: { state: "queued" },
  };
}

const GAUGES: Gauges = {
  now: START + 3_600_000,
  usage: { rssBytes: 80e6, cpuSeconds: 36 },
  jobs: [{ name: "spring", watched: true, filesWaiting: 2, nextRun: null, lastImage: START + 3_000_000, usualMs: 120_000 }, {
    name: "autumn",
    watched: false,
    filesWaiting: 0,
    nextRun: 1_700_000_000_000,
    lastImage: null,
    usualMs: null,
  }],
  hooks: [{ job: "spring", hook: "ntfy.sh", waiting: 7 }],
  destinations: [
    {
      job: "spring",
      name: "freya",
      state: "on_hold",
      freeBytes: 5e12,
      queued: 4,
      sending: 1,
      deferred: 2,
      failed: 3,
      damaged: 1,
      vanished: 1,
      audit: {
        begunAt: START,
        endedAt: START + 60_000,
        goal: 10,
        found: { equal: 6, unproven: 1, damaged: 1, vanished: 1, changed: 1, unreadable: 0 },
        sentAgain: 0,
      },
      oldestWaiting: START + 3_000_000,
    },
    {
      job: "autumn",
      name: 'na"s\\',
      state: "open",
      freeBytes: null,
      queued: 0,
      sending: 0,
      deferred: 0,
      failed: 0,
      audit: null,
      oldestWaiting: null,
    },
  ],
};

function afterSomeHours() {
  const counted = metrics({ startedAt: START, version: "1.2.3", read: () => GAUGES, logLevel: () => "info" });
  const emit = (at: number, event: NewEvent) => counted.listen({ ...event, at: START + at });
  const refused = failureRecord(new Failure("unreachable", "Cannot reach freya", { hint: "" }));
  const corrupt = failureRecord(new Failure("source_corrupt", "Cannot send it", { hint: "" }));
  const proof = (bytes: number) => verify({ bytes, sha256: "a" }, { bytes, sha256: "a" }, "checksum", START);
  const [one, two, three] = [aDelivery(1, 1000), aDelivery(2, 500), aDelivery(3, 9)];
  for (const delivery of [one, two, three]) emit(0, { type: "queued", delivery });
  for (const delivery of [one, two, three]) emit(1_000, { type: "sending", delivery: send(delivery, "x") });
  emit(1_200, { type: "delivered", delivery: deliver(one, proof(1000)) });
  emit(3_000, { type: "deferred", delivery: defer(two, refused, START, false) });
  emit(3_000, { type: "failed", delivery: fail(three, corrupt) });
  emit(60_000, { type: "sending", delivery: send(two, "y") });
  emit(62_000, { type: "progress", delivery: two, bytes: 100 });
  emit(64_000, { type: "delivered", delivery: deliver(two, proof(500)) });
  counted.listen({ type: "pocketbase", collection: "jobs", result: "ok", milliseconds: 20, at: 0 });
  counted.listen({ type: "pocketbase", collection: "logs", result: "unreachable", milliseconds: 20, at: 0 });
  counted.listen({ type: "log_upload", waiting: 7, failed: true, at: 0 });
  return counted;
}

Deno.test("metrics() count what was found at a destination apart from what was delivered, and none of its bytes", async () => {
  const counted = metrics({ startedAt: START, version: "1.2.3", read: () => GAUGES, logLevel: () => "info" });
  const receipt = verify({ bytes: 1000, sha256: "a" }, { bytes: 1000, sha256: "a" }, "checksum", START);
  counted.listen({ type: "delivered", at: START, delivery: deliver(aDelivery(1, 1000), receipt), found: true });
  const text = await counted.text();
  assertMatch(text, /^sync_files_processed_total\{[^}]*result="found"[^}]*\} 1$/m);
  assertEquals(/^sync_(files_processed_total\{[^}]*result="delivered"|bytes_transferred_total)[^}]*\} [1-9]/m.test(text), false);
});

Deno.test("metrics() are what the golden file shows", async () => {
  const counted = afterSomeHours();
  await assertGolden(new URL("golden/metrics.txt", import.meta.url), await counted.text());
});

Deno.test("metrics() are counted once however often they are read, and a destination that is gone is not shown any more", async () => {
  const counted = afterSomeHours();
  const lines = async () => (await counted.text()).split("\n").filter((line) => /^sync_.*freya/.test(line)).join("\n");
  assertEquals(await lines(), await lines());
  const gone = metrics({
    startedAt: START,
    version: "1",
    read: () => reads.shift() ?? { ...GAUGES, destinations: [] },
    logLevel: () => "info",
  });
  const reads = [GAUGES];
  assertMatch(await gone.text(), /image_transfer_destination_state\{.*freya/);
  assertEquals(/image_transfer_destination_state\{.*freya/.test(await gone.text()), false);
});

Deno.test("log_entries_total counts lines from the configured level on", async () => {
  const counted = metrics({ startedAt: START, version: "1", read: () => GAUGES, logLevel: () => "warning" });
  for (const level of ["debug", "info", "warning", "error", "error"] as const) {
    counted.listen({ type: "notice", level, message: "x", at: START });
  }
  const text = await counted.text();
  const entries = Object.fromEntries(
    [...text.matchAll(/^log_entries_total\{level="(\w+)"\} (\d+)/gm)].map(([, level, n]) => [level, Number(n)]),
  );
  assertEquals(entries, { trace: 0, debug: 0, info: 0, warning: 1, error: 2 });
});

Deno.test("metrics() pass promtool without a complaint", needs("promtool"), async () => {
  const counted = afterSomeHours();
  const child = new Deno.Command(which("promtool")!, {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(await counted.text()));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(said, "");
});
