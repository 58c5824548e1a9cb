/**
 * A long line: several channels carry contents, as many as the server allows, and none of them costs a login.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import type { Session } from "../../../src/methods/method.ts";
import { sftp } from "../../../src/methods/sftp/sftp.ts";
import { channelsWorth } from "../../../src/methods/ssh/long_line.ts";
import { tar } from "../../../src/methods/tar/tar.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { digestOf, ignoreBytes, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
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

/** Puts and publishes files, and looks at what is there. */
async function deliver(it: Bench, session: Session, attempt: string): Promise<void> {
  const contents = Array.from({ length: FILES }, (_, index) => noise(BYTES + index, index + 1));
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

  for (const [maxSessions, streams, logins] of [[10, 3, 1], [3, 2, 2], [1, 1, 4]] as const) {
    Deno.test({
      name: `${method.name}: over a long line, where the server allows ${maxSessions} channels, ${streams} carry the files`,
      ignore,
      fn: async () => {
        await using it = await openBench(method, { maxSessions });
        await using proxy = startProxy(it.server.port, { roundTripMs: 60 });
        const session = await it.connect({}, {}, { host: "127.0.0.1", port: proxy.port });
        for (const attempt of ["a1", "a2"]) await deliver(it, session, attempt);
        assert(await it.server.logins() <= logins, `${await it.server.logins()} logins`);
        assert(await carrying(it) >= streams, await it.server.log());
        if (maxSessions !== 3) assertEquals(session.streams?.(), streams);
      },
    });
  }

  Deno.test({
    name: `${method.name}: several channels that are cut together interrupt put(), and all parts are resumed`,
    ignore,
    fn: async () => {
      await using it = await openBench(method);
      await using proxy = startProxy(it.server.port, { roundTripMs: 60 });
      const login = { host: "127.0.0.1", port: proxy.port };
      const contents = Array.from({ length: 3 }, (_, index) => noise(12 << 20, index + 1));
      const files = await Promise.all(contents.map((content, index) => it.source(`${index}`, content)));
      const session = await it.connect({}, {}, login);
      // So that the channels are open.
      await deliver(it, session, "a0");
      proxy.cutAfter(24 << 20);
      const uploads = files.map((file, index) => upload(file, index + 1));
      await rejectsWith(() => session.put(uploads, ignoreBytes, signal), ["interrupted"]);
      const before = proxy.counters.up;
      const next = await it.connect({}, {}, login);
      const again = files.map((file, index) => ({
        ...upload(file, index + 1, "a2"),
        leftover: `${STAGING}/a1/${index + 1}`,
      }));
      await next.put(again, ignoreBytes, signal);
      assertEquals(await next.digest(again.map(({ staged }) => staged), signal), await Promise.all(contents.map(digestOf)));
      const sent = (proxy.counters.up - before) / (36 << 20);
      assert(sent < 0.75, `${sent} of it was sent again`);
    },
  });

  Deno.test({
    name: `${method.name}: a signal ends all streams of a put at once`,
    ignore,
    fn: async () => {
      await using it = await openBench(method);
      await using proxy = startProxy(it.server.port, { roundTripMs: 60 });
      const session = await it.connect({ bandwidthLimit: 4 << 20 }, {}, { host: "127.0.0.1", port: proxy.port });
      const files = await Promise.all([1, 2, 3].map((seed) => it.source(`${seed}`, noise(12 << 20, seed))));
      const stop = new AbortController();
      setTimeout(() => stop.abort(new Failure("stopped", "stopping")), 1000);
      const began = performance.now();
      await rejectsWith(() => session.put(files.map((file, index) => upload(file, index + 1)), ignoreBytes, stop.signal), [
        "stopped",
      ]);
      assert(performance.now() - began < 5000);
      const up = proxy.counters.up;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert(proxy.counters.up - up < 8 << 20, `${proxy.counters.up - up} bytes after it`);
    },
  });
}
