import { assertEquals } from "@std/assert";
import { fleetView } from "../../src/daemon/fleet_view.ts";
import { eventStream } from "../../src/events/event_stream.ts";
import { createFakeClock } from "../support/fake_clock.ts";

const never = new AbortController().signal;

function rig(first: string | null = "https://a.example") {
  const clock = createFakeClock();
  const server = { url: first };
  const events = eventStream(() => clock.now());
  return { clock, events, server, view: fleetView(events, () => server.url, clock) };
}

Deno.test("fleetView() asks when somebody looks, and pages that look together share the answer", async () => {
  const { clock, events, view } = rig();
  let asked = 0;
  const answering = (async () => {
    for (; asked < 2; asked++) {
      await view.asked.wait(3_600_000, never);
      events.emit({ type: "fleet", members: [] });
    }
  })();
  await clock.resting();
  assertEquals(asked, 0);
  const looks = await Promise.all([view.now(), view.now()]);
  assertEquals([looks.map((fleet) => fleet?.at), asked], [[clock.now(), clock.now()], 1]);
  await clock.advance(9_000);
  assertEquals((await view.now())?.at, clock.now() - 9_000);
  await clock.advance(2_000);
  assertEquals((await view.now())?.at, clock.now());
  await answering;
});

Deno.test("fleetView() gives what was last told to who looks while the server does not answer", async () => {
  const { clock, events, view } = rig();
  const first = view.now();
  await clock.advance(5_000);
  assertEquals(await first, null);
  events.emit({ type: "fleet", members: [] });
  const { at } = (await view.now())!;
  await clock.advance(60_000);
  const later = view.now();
  await clock.advance(5_000);
  assertEquals((await later)?.at, at);
});

Deno.test("fleetView() waits for nothing where there is no server", async () => {
  const { clock, view } = rig(null);
  assertEquals([await view.now(), clock.sleeping], [null, 0]);
});

for (const other of [null, "https://b.example"]) {
  Deno.test(`fleetView() tells nothing of the former server after a reload ${other === null ? "without one" : "with another"}`, async () => {
    const { clock, events, server, view } = rig();
    events.emit({ type: "fleet", members: [] });
    assertEquals((await view.now())?.members, []);
    server.url = other;
    const now = view.now();
    await clock.advance(5_000);
    assertEquals(await now, null);
  });
}
