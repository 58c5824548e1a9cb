import type { DeliveryHealth } from "../../src/reports/overview/delivery_health.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fitsFile } from "../support/fits_maker.ts";
import type { StatusReport } from "../../src/reports/api_types.ts";
import { webRig } from "./web_rig.ts";

/** The values of the text format, by name with labels. */
function values(text: string): Map<string, number> {
  return new Map([...text.matchAll(/^([a-z_]+(?:\{[^\n]*\})?) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]));
}

Deno.test("/metrics and /health need no token on this computer, and metrics: false takes the first away", async () => {
  await using rig = await webRig();
  await rig.until(async () => (await rig.daemon.status()).jobs.every(({ watching }) => watching), "it watches");
  const metrics = await fetch(`${rig.origin}/metrics`);
  assertEquals(metrics.status, 200);
  assertStringIncludes(metrics.headers.get("content-type") ?? "", "text/plain; version=0.0.4");
  assertEquals(values(await metrics.text()).get("file_watchers_active"), 1);
  for (const path of ["/health", "/health/live", "/health/ready"]) {
    const health = await fetch(`${rig.origin}${path}`);
    assertEquals([path, health.status, await health.json()], [path, 200, { live: true, ready: true }]);
  }
  await using without = await webRig({ web: { listen: "127.0.0.1:0", metrics: false } });
  const off = await without.get("/metrics");
  assertEquals(off.status, 404);
  await off.body?.cancel();
});

Deno.test("/health says live but not ready while a folder is not watched", async () => {
  await using rig = await webRig();
  await Deno.remove(rig.folder.at("data"), { recursive: true });
  await rig.until(async () => {
    const ready = await fetch(`${rig.origin}/health/ready`);
    await ready.body?.cancel();
    return ready.status === 503;
  }, "not ready");
  const health = await fetch(`${rig.origin}/health`);
  assertEquals([health.status, await health.json()], [200, { live: true, ready: false, not_watching: ["default"] }]);
});

Deno.test("the counters agree with the ledger after a destination was away, files failed, and were retried", async () => {
  await using rig = await webRig({ retry_delay: 0.05, retry_attempts: 1, on_conflict: "fail" });
  await rig.folder.write("nas/taken.fits", "something else");
  for (let i = 0; i < 10; i++) await rig.folder.write(`data/${i}.fits`, fitsFile(3000 * (i + 1), i));
  await rig.folder.write("data/taken.fits", fitsFile(3000, 99));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 10 && rig.daemon.ledger.counts().failed === 1, "all but one");
  await Deno.rename(rig.folder.at("nas"), rig.folder.at("away"));
  for (let i = 10; i < 20; i++) await rig.folder.write(`data/${i}.fits`, fitsFile(3000, i));
  await rig.until(() => rig.daemon.ledger.counts().deferred + rig.daemon.ledger.counts().queued === 10, "waiting");
  await rig.until(() => rig.events.some((event) => event.type === "destination" && event.now.state === "on_hold"), "held");
  await Deno.rename(rig.folder.at("away"), rig.folder.at("nas"));
  rig.daemon.resume("nas");
  await rig.until(() => rig.daemon.ledger.counts().delivered === 20, "the rest");
  await Deno.remove(rig.folder.at("nas/taken.fits"));
  rig.daemon.retry(null);
  await rig.until(() => rig.daemon.ledger.counts().delivered === 21, "the retried one");

  const counted = values(await (await rig.get("/metrics")).text());
  const place = 'sync_job="default",destination="nas"';
  const rows = rig.daemon.ledger.query({ states: ["delivered"] });
  const bytes = rows.reduce((sum, { delivery: { state } }) => sum + (state.state === "delivered" ? state.receipt.bytes : 0), 0);
  const get = (name: string) => counted.get(name);
  assertEquals(get(`sync_files_processed_total{${place},result="delivered"}`), rows.length);
  assertEquals(get(`sync_files_processed_total{${place},result="failed"}`), 1);
  assertEquals(get(`sync_bytes_transferred_total{${place}}`), bytes);
  assertEquals(get(`image_transfer_delivery_latency_seconds_count{${place}}`), rows.length);
  for (const state of ["queued", "sending", "deferred", "failed"] as const) {
    assertEquals(get(`image_transfer_queue_deliveries{${place},state="${state}"}`), rig.daemon.ledger.counts()[state]);
  }
  assertEquals(get(`image_transfer_destination_state{${place},state="open"}`), 1);
  const ended = (type: string) => rig.events.filter((event) => event.type === type).length;
  assertEquals(get(`sync_operations_total{${place},result="deferred"}`), ended("deferred"));
  assertEquals(get(`sync_errors_total{${place},code="exists"}`), 1);
});

Deno.test("/health/delivery gives monitors a status code, one line and the numbers, in the words of the page", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/a.fits", fitsFile(3000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  const ask = async (accept = "*/*", headers: Record<string, string> = {}) => {
    const answer = await fetch(`${rig.origin}/health/delivery`, { headers: { accept, ...headers } });
    return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
  };
  const well = await ask();
  assertEquals([well.status, (JSON.parse(well.text) as DeliveryHealth).line], [200, "OK: Tonight's image is on nas"]);
  rig.daemon.pause("nas", "ann");
  await rig.folder.write("data/b.fits", fitsFile(3000, 2));
  await rig.until(() => rig.daemon.ledger.counts().queued === 1, "queued");
  const line = "WARNING: nas is paused by ann. 1 of 2 images are delivered; 1 image is waiting in the watched folder. " +
    "Resume it to send files again.";
  const plain = await ask("text/plain");
  assertEquals([plain.status, plain.type, plain.text], [503, "text/plain; charset=UTF-8", `${line}\n`]);
  const { status, text } = await ask("application/json");
  const { ok, line: said, headline, destinations, jobs } = JSON.parse(text) as DeliveryHealth;
  assertEquals([status, ok, said], [503, false, line]);
  assertEquals(headline, (await rig.json<StatusReport>("/api/status")).headline);
  const [nas] = destinations;
  assert(nas !== undefined && nas.oldest_waiting_seconds !== null && nas.oldest_waiting_seconds < 60);
  assertEquals({ ...nas, oldest_waiting_seconds: 0 }, {
    job: "default",
    name: "nas",
    state: "paused",
    reason: "paused by ann",
    waiting: 1,
    failed: 0,
    oldest_waiting_seconds: 0,
  });
  assertEquals(jobs, [{ name: "default", watching: true, incomplete: 0, rejected: 0 }]);
});
