/** A long line: several channels carry contents, as many as the server allows, and none of them costs a login. */
import { assert, assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import type { Session } from "../../../src/methods/method.ts";
import { sftp } from "../../../src/methods/sftp/sftp.ts";
import { type Channel, channelsWorth, LongLine, type LongLineParts } from "../../../src/methods/ssh/long_line.ts";
import { tar } from "../../../src/methods/tar/tar.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aServer, digestOf, ignoreBytes, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { createFakeClock, type FakeClock } from "../../support/fake_clock.ts";
import { has } from "../../support/needs.ts";
import { startProxy } from "../../support/tcp_proxy.ts";
import { type Bench, openBench } from "../bench.ts";

const ignore = !has("sshd");
const signal = new AbortController().signal;
const FILES = 6;
const BYTES = 3 << 20;

Deno.test("channelsWorth() follows round trip and bytes; a short line and an unknown one have one", () => {
  const much = 100 << 20;
  for (
    const [roundTripMs, bytes, expected] of [
      [Infinity, much, 1],
      [0, much, 1],
      [25, much, 1],
      [26, much, 2],
      [60, much, 3],
      [200, much, 6],
      [5000, Infinity, 6],
      [200, 1000, 1],
      [200, 0, 1],
      [200, 5 << 20, 3],
    ] as const
  ) assertEquals(channelsWorth(roundTripMs, bytes), expected, `${roundTripMs} ms, ${bytes} bytes`);
});

/** Lets a channel carry 1 MB/s for so long that it is measured. */
async function measure(clock: FakeClock, channel: Channel): Promise<void> {
  for (let ms = 0; ms < 2500; ms += 100) {
    await clock.advance(100);
    channel.carried(100_000);
  }
}

/** A line with a clock of its own, at a host of its own, that says how often it was connected again. */
function aMeasuredLine(roundTripMs: number, differences: Partial<LongLineParts> = {}) {
  const clock = createFakeClock();
  const further = { opened: 0, closed: 0, lost: false };
  const parts: LongLineParts = {
    destination: aServer("tar", { host: `host${++hosts}` }, {}),
    context: { system: { ...createSystem(), ...clock }, log: () => {} },
    sharing: { role: "client", path: "/run/first" },
    roundTripMs: () => roundTripMs,
    isLost: () => false,
    connectAgain: () => {
      further.opened++;
      const close = () => Promise.resolve(void further.closed++);
      return Promise.resolve({
        path: `/run/further${further.opened}`,
        isLost: () => further.lost,
        [Symbol.asyncDispose]: close,
      });
    },
    ...differences,
  };
  return { clock, further, parts, line: new LongLine(parts) };
}
let hosts = 0;

/** Has a channel of the first connection measured, which is slow. */
async function carrySlowly({ clock, line }: ReturnType<typeof aMeasuredLine>): Promise<Channel> {
  const channel = line.first();
  channel.begin();
  await measure(clock, channel);
  return channel;
}

Deno.test("a slow connection of a long line gets another one beside it, which is kept if more arrives, and no more than four", async () => {
  const it = aMeasuredLine(200);
  const { clock, line, further } = it;
  const first = await carrySlowly(it);
  assertEquals([further.opened, line.worth(Infinity)], [1, 12]);
  for (let rounds = 0; rounds < 3; rounds++) {
    const another = line.another()!;
    assertEquals(another.sharing, { role: "channel", path: `/run/further${rounds + 1}` });
    another.begin();
    for (let ms = 0; ms < 2500; ms += 100) {
      await clock.advance(100);
      for (const channel of [first, another]) channel.carried(100_000 * (rounds + 1));
    }
  }
  assertEquals([further.opened, further.closed], [3, 0]);
  await line[Symbol.asyncDispose]();
  assertEquals(further.closed, 3);
});

Deno.test("a further connection through which no more arrives is ended once its channels are, and none is tried for an hour", async () => {
  const it = aMeasuredLine(200);
  const { clock, line, further, parts } = it;
  const first = await carrySlowly(it);
  const another = line.another()!;
  another.begin();
  for (let ms = 0; ms < 2500; ms += 100) {
    await clock.advance(100);
    for (const channel of [first, another]) channel.carried(50_000);
  }
  assertEquals([line.worth(Infinity), further.closed], [6, 0]);
  another.leave();
  assertEquals(further.closed, 1);
  await measure(clock, first);
  // Another session of the same account knows it, too.
  const other = { ...it, line: new LongLine(parts) };
  (await carrySlowly(other)).leave();
  assertEquals(further.opened, 1);
  await clock.advance(3_600_000);
  (await carrySlowly(other)).leave();
  assertEquals(further.opened, 2);
});

for (
  const [what, roundTripMs, differences] of [
    ["on a short line", 49, {}],
    ["with bandwidth_limit", 200, { destination: aServer("tar", { host: "limited" }, { bandwidthLimit: 1_000_000 }) }],
    ["where each channel is a connection of its own", 200, { sharing: null }],
    ["while another one logs in to that host", 200, {
      context: { system: { ...createSystem(), ...createFakeClock() }, log: () => {}, logIn: () => null },
    }],
  ] as const
) {
  Deno.test(`no further connection is opened ${what}`, async () => {
    const { clock, ...it } = aMeasuredLine(roundTripMs, differences);
    const own = { ...it.parts.context, system: { ...createSystem(), ...clock } };
    const line = new LongLine({ ...it.parts, context: own });
    await carrySlowly({ ...it, clock, line });
    assertEquals(it.further.opened, 0);
  });
}

Deno.test("a further connection that is refused, or is lost alone, is not tried again for an hour", async () => {
  const refused = aMeasuredLine(200, { connectAgain: () => Promise.reject(new Error("no")) });
  await carrySlowly(refused);
  assertEquals(refused.line.worth(Infinity), 6);

  const lost = aMeasuredLine(200);
  const first = await carrySlowly(lost);
  lost.further.lost = true;
  assertEquals(lost.line.another()?.sharing, { role: "channel", path: "/run/first" });
  assertEquals(lost.further.closed, 1);
  await measure(lost.clock, first);
  assertEquals(lost.further.opened, 1);
});

/** Puts and publishes files, and looks at what is there. */
async function deliver(it: Bench, session: Session, attempt: string, length = BYTES): Promise<void> {
  const contents = Array.from({ length: FILES }, (_, index) => noise(length + index, index + 1));
  const files = await Promise.all(contents.map((content, index) => it.source(`${attempt}-${index}`, content)));
  const uploads = files.map((file, index) => upload(file, index + 1, attempt));
  const digests = await Promise.all(contents.map(digestOf));
  assertEquals(await session.put(uploads, ignoreBytes, signal), digests.map((sent) => ({ put: true as const, sent })));
  await session.publish(uploads.map(({ staged }, index) => publication(staged, `${attempt}-${index}`)), signal);
  assertEquals(await session.digest(files.map(({ path }) => path), signal), digests);
}

for (const method of [tar, sftp]) {
  /** Sessions that the server has begun which carry contents. */
  const carrying = async ({ server }: Bench) =>
    (await server.log()).split("\n").filter((line) =>
      /Starting session: (subsystem 'sftp'|forced-command|command)/.test(line) && !/MaxSessions/.test(line)
    ).length;

  for (const [maxSessions, streams, logins] of [[10, 3, 1], [3, 2, 3], [1, 1, 5]] as const) {
    Deno.test(`${method.name}: over a long line, where the server allows ${maxSessions} channels, ${streams} carry the files`, {
      ignore,
    }, async () => {
      await using it = await openBench(method, { maxSessions });
      await using proxy = startProxy(it.server.port, { roundTripMs: 60 });
      // With a limit no further connection is tried, however slow this computer is.
      const session = await it.connect({ bandwidthLimit: 1e9 }, undefined, { host: "127.0.0.1", port: proxy.port });
      for (const attempt of ["a1", "a2"]) await deliver(it, session, attempt);
      assert(await it.server.logins() <= logins, `${await it.server.logins()} logins`);
      assert(await carrying(it) >= streams, await it.server.log());
      if (maxSessions !== 3) assertEquals(session.streams?.(), streams);
    });
  }

  Deno.test(
    `${method.name}: several channels that are cut together interrupt put(), and all parts are resumed`,
    { ignore },
    async () => {
      await using it = await openBench(method);
      await using proxy = startProxy(it.server.port, { roundTripMs: 60 });
      const login = { host: "127.0.0.1", port: proxy.port };
      const contents = Array.from({ length: 3 }, (_, index) => noise(12 << 20, index + 1));
      const files = await Promise.all(contents.map((content, index) => it.source(`${index}`, content)));
      const session = await it.connect({}, undefined, login);
      // So that the channels are open.
      await deliver(it, session, "a0");
      proxy.cutAfter(24 << 20);
      const uploads = files.map((file, index) => upload(file, index + 1));
      await rejectsWith(() => session.put(uploads, ignoreBytes, signal), ["interrupted"]);
      const before = proxy.counters.up;
      const next = await it.connect({}, undefined, login);
      const again = files.map((file, index) => ({
        ...upload(file, index + 1, "a2"),
        leftover: `${STAGING}/a1/${index + 1}`,
      }));
      await next.put(again, ignoreBytes, signal);
      assertEquals(await next.digest(again.map(({ staged }) => staged), signal), await Promise.all(contents.map(digestOf)));
      const sent = (proxy.counters.up - before) / (36 << 20);
      assert(sent < 0.75, `${sent} of it was sent again`);
    },
  );

  Deno.test(`${method.name}: a signal ends all streams of a put at once`, { ignore }, async () => {
    await using it = await openBench(method);
    await using proxy = startProxy(it.server.port, { roundTripMs: 60 });
    const session = await it.connect({ bandwidthLimit: 4 << 20 }, undefined, { host: "127.0.0.1", port: proxy.port });
    const files = await Promise.all([1, 2, 3].map((seed) => it.source(`${seed}`, noise(12 << 20, seed))));
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Failure("stopped", "stopping")), 1000);
    await rejectsWith(() => session.put(files.map((file, index) => upload(file, index + 1)), ignoreBytes, stop.signal), [
      "stopped",
    ]);
    const up = proxy.counters.up;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert(proxy.counters.up - up < 8 << 20, `${proxy.counters.up - up} bytes after it`);
  });

  /** A line whose connections carry 2 MB/s each, for a session that has sent so much that this was found out. */
  const narrow = async (it: Bench) => {
    const proxy = startProxy(it.server.port, { roundTripMs: 60, windowBytes: 1 << 16 });
    const session = await it.connect({}, undefined, { host: "127.0.0.1", port: proxy.port });
    return { proxy, session };
  };

  /**
   * Delivers more and more until that is so: a rate is measured while the same channels are busy for ten round trips,
   * which take seconds on a busy computer.
   */
  const deliverUntil = async (it: Bench, session: Session, isSo: () => boolean) => {
    for (let turn = 1; turn <= 12 && !isSo(); turn++) await deliver(it, session, `a0-${turn}`, turn << 20);
    assert(isSo(), "one connection only");
  };

  Deno.test(`${method.name}: over a long line whose connections are slow, several carry the files`, { ignore }, async () => {
    await using it = await openBench(method);
    const { proxy, session } = await narrow(it);
    await using _proxy = proxy;
    await deliverUntil(it, session, () => proxy.counters.connections > 1);
    await deliver(it, session, "a1", 1 << 20);
    const logins = await it.server.logins();
    assert(logins >= 2 && logins <= 4, `${logins} logins`);
  });

  Deno.test(`${method.name}: a second connection that is refused is tried once, and nobody hears of it`, { ignore }, async () => {
    await using it = await openBench(method);
    const { proxy, session } = await narrow(it);
    await using _proxy = proxy;
    proxy.refuseNew();
    await deliverUntil(it, session, () => proxy.counters.refused > 0);
    for (const attempt of ["a1", "a2"]) await deliver(it, session, attempt, 1 << 20);
    assertEquals([proxy.counters.connections, proxy.counters.refused], [1, 1]);
  });

  Deno.test(
    `${method.name}: a second connection that is cut interrupts put(), and the next session resumes with one`,
    { ignore },
    async () => {
      await using it = await openBench(method);
      const { proxy, session } = await narrow(it);
      await using _proxy = proxy;
      await deliverUntil(it, session, () => proxy.counters.connections > 1);
      const contents = Array.from({ length: 8 }, (_, index) => noise(2 << 20, index + 1));
      const files = await Promise.all(contents.map((content, index) => it.source(`${index}`, content)));
      const uploads = files.map((file, index) => upload(file, index + 1, "a2"));
      const putting = rejectsWith(() => session.put(uploads, ignoreBytes, signal), ["interrupted"]);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      proxy.cutOne(2);
      await putting;
      await session[Symbol.asyncDispose]();
      const connections = proxy.counters.connections;
      const next = await it.connect({}, undefined, { host: "127.0.0.1", port: proxy.port });
      const again = uploads.map(({ source, staged }, index) => ({ ...upload(source, index + 1, "a3"), leftover: staged }));
      assertEquals((await next.put(again, ignoreBytes, signal)).map(({ put }) => put), files.map(() => true));
      assertEquals(await next.digest(again.map(({ staged }) => staged), signal), await Promise.all(contents.map(digestOf)));
      assertEquals(proxy.counters.connections - connections, 1);
    },
  );
}
