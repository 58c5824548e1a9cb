import { assert, assertEquals } from "@std/assert";
import { sftp } from "../../../src/methods/sftp/sftp.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { digestOf, ignoreBytes, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { has, which } from "../../support/needs.ts";
import type { SshdOptions } from "../../support/sshd.ts";
import { startProxy } from "../../support/tcp_proxy.ts";
import { openBench } from "../bench.ts";

const ignore = !has("sshd");
const signal = new AbortController().signal;

const bench = (options: SshdOptions = {}) => openBench(sftp, options);

for (const sftpOnly of [false, true]) {
  const kind = sftpOnly ? "sftp without a shell" : "sftp";

  Deno.test(`${kind}: a killed server interrupts put(), and a new session goes on with what is there`, { ignore }, async () => {
    await using it = await bench({ sftpOnly });
    const content = noise(12 << 20);
    const file = await it.source("big.fits", content);
    const session = await it.connect({ bandwidthLimit: 2 << 20 });
    const putting = rejectsWith(() => session.put([upload(file, 1)], ignoreBytes, signal), ["interrupted"]);
    const part = it.folder.at("base", STAGING, "a1", "1");
    while (await sizeOf(part) < 1 << 20) await new Promise((resolve) => setTimeout(resolve, 20));
    await it.server.restart();
    await putting;
    const left = await sizeOf(part);
    assert(left > 0 && left < content.length, `left: ${left}`);
    const next = await it.connect();
    const staged = `${STAGING}/a2/1`;
    await next.put([{ ...upload(file, 1, "a2"), leftover: `${STAGING}/a1/1` }], ignoreBytes, signal);
    assertEquals(await next.digest([staged], signal), [await digestOf(content)]);
    assertEquals(await next.publish([publication(staged, "big.fits")], signal), [{ published: true }]);
  });

  Deno.test(`${kind}: a frozen server ends every call with a Failure`, { ignore }, async () => {
    await using it = await bench({ sftpOnly });
    const file = await it.source("a.fits", noise(1000));
    const session = await it.connect({ timeoutMs: 4000 });
    await session.put([upload(file, 1)], ignoreBytes, signal);
    await it.server.freeze();
    const codes = ["timeout", "interrupted", "unreachable"] as const;
    await rejectsWith(() => session.put([upload(file, 2)], ignoreBytes, signal), codes);
    await rejectsWith(() => session.digest([`${STAGING}/a1/1`], signal), codes);
  });

  Deno.test(`${kind}: carries without shared connections and without links, as from Windows`, { ignore }, async () => {
    await using it = await bench({ sftpOnly });
    const system = createSystem();
    const session = await it.connect({}, { platform: "windows", symlink: () => Promise.reject(new Error("no symlinks here")) });
    const names = ["a b.fits", "[x] {y}.fits", "ünïcödé.fits", "it's.fits", "~1.fits", "100%.fits"];
    const uploads = [];
    for (const [index, name] of names.entries()) uploads.push(upload(await it.source(name, noise(1000, index + 1)), index));
    const outcomes = await session.put(uploads, ignoreBytes, signal);
    const expected = await Promise.all(names.map((_, index) => digestOf(noise(1000, index + 1))));
    assertEquals(outcomes, expected.map((sent) => ({ put: true, sent })));
    assertEquals(await session.digest(uploads.map(({ staged }) => staged), signal), expected);
    await session.publish(uploads.map(({ staged, source }) => publication(staged, `n/${source.path}`)), signal);
    for (const [index, name] of names.entries()) {
      assertEquals(await system.hash(it.folder.at("base", "n", name), signal), expected[index]);
    }
  });
}

Deno.test("sftp: a refused login and a changed host key are told by name", { ignore }, async () => {
  await using it = await bench({ sftpOnly: true });
  await it.server.revokeKey();
  await rejectsWith(() => it.connect(), ["login_refused"]);
  await it.server.allowKey();
  await it.server.changeHostKey();
  await rejectsWith(() => it.connect(), ["host_key_changed"]);
});

Deno.test("sftp: a server that cannot be reached is told as unreachable", { ignore }, async () => {
  await using it = await bench();
  await it.server.kill();
  await rejectsWith(() => it.connect(), ["unreachable"]);
});

Deno.test("sftp: one login serves all channels of a session", { ignore }, async () => {
  await using it = await bench({ sftpOnly: true });
  await using proxy = startProxy(it.server.port);
  await (await it.connect())[Symbol.asyncDispose]();
  const session = await it.connect({}, {}, { port: proxy.port });
  const before = proxy.counters.connections;
  const batches = await Promise.all([1, 2, 3].map(async (number) => {
    return await Promise.all(
      [1, 2, 3].map(async (file) => upload(await it.source(`${number}-${file}`, noise(500)), file, `b${number}`)),
    );
  }));
  await Promise.all(batches.map((batch) => session.put(batch, ignoreBytes, signal)));
  assertEquals(proxy.counters.connections, before);
});

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

Deno.test("sftp without a shell reads files back without writing them here", { ignore }, async () => {
  await using it = await bench({ sftpOnly: true });
  const session = await it.connect();
  const file = await it.source("a.fits", noise(1000));
  await session.put([upload(file, 1)], ignoreBytes, signal);
  assertEquals(await session.digest([`${STAGING}/a1/1`], signal), [await digestOf(noise(1000))]);
  for (const folder of ["spool", "work"]) assertEquals(await sizeOf(it.folder.at(folder)), 0);
});

Deno.test("sftp carries a batch in a few round trips, whatever the number of its files", { ignore }, async () => {
  await using it = await bench({ sftpOnly: true });
  const roundTripMs = 200;
  await using proxy = startProxy(it.server.port, { roundTripMs });
  const session = await it.connect({}, {}, { port: proxy.port });
  const files = await Promise.all(
    Array.from({ length: 100 }, (_, index) => it.source(`${index}.fits`, noise(1000, index + 1))),
  );
  const uploads = files.map((file, index) => upload(file, index));
  const began = performance.now();
  await session.put(uploads, ignoreBytes, signal);
  await session.digest(uploads.map(({ staged }) => staged), signal);
  await session.publish(uploads.map(({ staged, source }) => publication(staged, source.path)), signal);
  const roundTrips = (performance.now() - began) / roundTripMs;
  // One for each file would be three hundred; a slow machine takes its time besides.
  assert(roundTrips < 150, `round trips: ${roundTrips}`);
});

Deno.test("sftp asks a login without a usable shell again after an hour, and not before", { ignore }, async () => {
  const hashers = ["openssl", "sha256sum", "busybox", "sha256", "shasum"];
  await using it = await bench({ without: hashers });
  const real = createSystem();
  let ahead = 0;
  const clock = { monotonic: () => real.monotonic() + ahead };
  const proof = async () => (await it.connect({}, clock)).proof;
  assertEquals(await proof(), "read_back");
  await Deno.symlink(which("sha256sum")!, it.server.sshConfig.replace(/ssh_config$/, "bin/sha256sum"));
  assertEquals(await proof(), "read_back");
  ahead = 59 * 60_000;
  assertEquals(await proof(), "read_back");
  ahead = 61 * 60_000;
  assertEquals(await proof(), "checksum");
  ahead = 62 * 60_000;
  assertEquals(await proof(), "checksum");
});
