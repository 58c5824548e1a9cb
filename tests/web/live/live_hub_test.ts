import { assert, assertEquals } from "@std/assert";
import type { TransferEvent } from "../../../src/domain/transfer_event.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import type { LiveMessage } from "../../../src/reports/api_types.ts";
import { type Client, liveHub, MOST_BUFFERED, MOST_CLIENTS } from "../../../src/web/live/live_hub.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { tempFolder } from "../../support/temp.ts";
import { anAdmission, NOW } from "../../ledger/makers.ts";
import { fakeSource } from "../../reports/fake_source.ts";

interface FakeClient extends Client {
  readonly heard: LiveMessage[];
  closedWith: number | null;
  bufferedAmount: number;
}

function client(): FakeClient {
  const heard: LiveMessage[] = [];
  return {
    heard,
    closedWith: null,
    bufferedAmount: 0,
    readyState: 1,
    send(text) {
      heard.push(JSON.parse(String(text)) as LiveMessage);
    },
    close(code) {
      this.closedWith = code ?? 0;
    },
  };
}

async function rig() {
  const folder = await tempFolder();
  const ledger = openLedger(folder.path);
  const clock = createFakeClock();
  const end = new AbortController();
  const errors: unknown[] = [];
  const listeners = new Set<(event: TransferEvent) => void>();
  const source = fakeSource(ledger, {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  const hub = liveHub(source, { system: clock, onError: (error) => errors.push(error) }, end.signal);
  const admit = (path: string) => {
    for (const delivery of ledger.admit([anAdmission(path)], NOW)) {
      for (const hear of listeners) hear({ type: "queued", delivery, at: NOW });
    }
  };
  return {
    hub,
    clock,
    errors,
    listeners,
    admit,
    async [Symbol.asyncDispose]() {
      end.abort();
      await clock.advance(10_000);
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
      assertEquals(errors, []);
      assertEquals(listeners.size, 0);
    },
  };
}

Deno.test("join() gives a snapshot; many events soon after each other become one change", async () => {
  await using r = await rig();
  const page = client();
  await r.hub.join(page);
  assertEquals(page.heard.map(({ type }) => type), ["snapshot"]);
  for (let i = 0; i < 20; i++) r.admit(`${i}.fits`);
  await r.clock.advance(1000);
  assertEquals(page.heard.map(({ type }) => type), ["snapshot", "change"]);
  const change = page.heard[1]!;
  assert(change.type === "change");
  assertEquals([change.deliveries.length, change.more, change.state.status?.deliveries.queued], [20, false, 20]);
  assertEquals(Object.keys(change.state).includes("jobs"), false);
});

Deno.test("a change of very many deliveries names some, and says that there are more", async () => {
  await using r = await rig();
  const page = client();
  await r.hub.join(page);
  for (let i = 0; i < 80; i++) r.admit(`${i}.fits`);
  await r.clock.advance(1000);
  const change = page.heard[1]!;
  assert(change.type === "change");
  assertEquals([change.deliveries.length, change.more, change.deliveries.at(-1)?.name], [50, true, "79.fits"]);
});

Deno.test("a client that reads too slowly is dropped, and the others hear on", async () => {
  await using r = await rig();
  const [slow, fast] = [client(), client()];
  await r.hub.join(slow);
  await r.hub.join(fast);
  slow.bufferedAmount = MOST_BUFFERED + 1;
  r.admit("a.fits");
  await r.clock.advance(1000);
  assertEquals([slow.closedWith, slow.heard.length], [1013, 1]);
  slow.bufferedAmount = 0;
  r.admit("b.fits");
  await r.clock.advance(1000);
  assertEquals([slow.heard.length, fast.heard.length], [1, 3]);
});

Deno.test("where nothing happens a beat comes, and nothing where nobody listens", async () => {
  await using r = await rig();
  r.admit("a.fits");
  const page = client();
  await r.hub.join(page);
  for (let i = 0; i < 4; i++) await r.clock.advance(5_000);
  assert(page.heard.filter(({ type }) => type === "beat").length >= 2);
  r.hub.leave(page);
  const { length } = page.heard;
  await r.clock.advance(20_000);
  assertEquals(page.heard.length, length);
});

Deno.test("hasRoom() ends somewhere, and dismiss() closes all", async () => {
  await using r = await rig();
  const pages = Array.from({ length: MOST_CLIENTS }, client);
  for (const page of pages) await r.hub.join(page);
  assertEquals(r.hub.hasRoom(), false);
  r.hub.dismiss(4401, "the session is over");
  assert(pages.every(({ closedWith }) => closedWith === 4401));
  assertEquals(r.hub.hasRoom(), true);
});
