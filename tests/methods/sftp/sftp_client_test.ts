import { assert, assertEquals, assertMatch } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { byteWindow } from "../../../src/methods/sftp/sftp_connection.ts";
import { sftpCalls } from "../../../src/methods/sftp/sftp_calls.ts";
import { openSftpClient } from "../../../src/methods/sftp/sftp_client.ts";
import { STATUS } from "../../../src/methods/sftp/sftp_protocol.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { answers, type Asked, bytesOf, fakeSftp, packetOf, type Told, VERSION } from "../../support/fake_sftp.ts";

const signal = new AbortController().signal;
const NAS = { name: "nas", timeoutMs: 20_000, transport: { host: "nas", user: null, port: null } };
const COMMAND = { program: "ssh", args: [] };

/** A client of a server that answers so. */
function open(tell: (asked: Asked) => Told, greeting: Uint8Array = VERSION(), clock = createSystem()) {
  return openSftpClient(COMMAND, NAS, { ...clock, ...fakeSftp(greeting, tell) }, signal);
}

Deno.test("a client tells answers by their numbers, in whatever order they come", async () => {
  const held: Uint8Array[] = [];
  let told = "silence" as Told;
  await using client = await openSftpClient(COMMAND, NAS, {
    ...createSystem(),
    ...fakeSftp(VERSION(), (_asked, packet) => {
      held.unshift(packetOf(105, Uint8Array.from([...packet.subarray(1, 5), ...bytesOf(4, 0o100000 + held.length)])));
      if (held.length === 3) told = Uint8Array.from(held.flatMap((each) => [...each]));
      return told;
    }),
  }, signal);
  const { stat } = sftpCalls(client);
  const found = await Promise.all(["/a", "/b", "/c"].map(stat));
  assertEquals(found.map(({ value }) => value), [0, 1, 2].map((mode) => ({ permissions: 0o100000 + mode })));
});

Deno.test("a refusal is a value; an answer of another kind ends the connection", async () => {
  await using client = await open(([what]) =>
    what === "STAT" ? answers.status(STATUS.NO_SUCH_FILE, "No such file") : answers.handle("h")
  );
  const { stat, mkdir } = sftpCalls(client);
  assertEquals((await stat("/a")).refusal?.code, STATUS.NO_SUCH_FILE);
  const failure = await rejectsWith(() => mkdir("/a"), ["interrupted"]);
  assertMatch(failure.message, /Unexpected response from the SFTP server of nas: it answers with handle/);
  await rejectsWith(() => stat("/b"), ["interrupted"]);
});

const HOSTILE: readonly [what: string, told: Told][] = [
  ["an answer to nothing", packetOf(101, bytesOf(4711, 0, "", ""))],
  ["a packet of 10 MB", bytesOf(10 << 20, "x")],
  ["a packet of 4 GiB", bytesOf(2 ** 32 - 1, "x")],
  ["an empty packet", bytesOf(0)],
  ["a string of 10 MB in a short packet", { type: 105, body: bytesOf(0x8000_0000, 1, 10 << 20) }],
  ["four billion names in a short packet", { type: 104, body: bytesOf(2 ** 32 - 1) }],
  ["an unknown packet", { type: 77, body: bytesOf() }],
];

for (const [what, told] of HOSTILE) {
  Deno.test(`a client ends the connection of a server that sends ${what}`, async () => {
    await using client = await open(() => told);
    await rejectsWith(() => sftpCalls(client).stat("/a"), ["interrupted"]);
    assert(client.lost instanceof Failure);
  });
}

Deno.test("a folder that does not end is left", async () => {
  await using client = await open(([what]) => {
    if (what === "OPENDIR") return answers.handle("h");
    return { type: 104, body: bytesOf(0) };
  });
  const failure = await rejectsWith(() => sftpCalls(client).list("/a"), ["interrupted"]);
  assertMatch(failure.message, /does not end/);
});

Deno.test("a folder with names of 250 kB that does not end is left, after some megabytes", async () => {
  let pages = 0;
  const page = answers.names(["x".repeat(250_000), 0o644]);
  await using client = await open(([what]) =>
    what === "OPENDIR" ? answers.handle("h") : ++pages < 200 ? page : answers.status(1)
  );
  const failure = await rejectsWith(() => sftpCalls(client).list("/a"), ["interrupted"]);
  assertMatch(failure.message, /does not end/);
});

Deno.test("a server that sends more than it was asked for is left", async () => {
  await using client = await open(() => answers.data(new Uint8Array(200)));
  await rejectsWith(() => sftpCalls(client).read(new Uint8Array(1), 0, 100), ["interrupted"]);
});

Deno.test("text in front of the server's version is shown, and the start-up files are named", async () => {
  const failure = await rejectsWith(() => open(() => answers.ok, new TextEncoder().encode("Welcome to nas!\n")), [
    "tool_missing",
  ]);
  assertMatch(failure.message, /the login shell there prints text .*Welcome to nas!/);
  assertMatch(failure.hint, /start-up files/);
});

Deno.test("a server that knows only earlier versions is refused", async () => {
  const failure = await rejectsWith(() => open(() => answers.ok, packetOf(2, bytesOf(2))), ["tool_missing"]);
  assertMatch(failure.message, /speaks version 2 only/);
});

Deno.test("a server that ends takes all requests with it", async () => {
  await using client = await open(([, path]) => path === "/b" ? "end" : "silence");
  const { stat } = sftpCalls(client);
  const asked = Promise.allSettled([stat("/a"), stat("/b"), stat("/c")]);
  assertEquals((await asked).map(({ status }) => status), ["rejected", "rejected", "rejected"]);
  assert(client.lost !== null);
});

Deno.test("a server that answers nothing for a minute is given up, and one that answers something is not", async () => {
  const clock = createFakeClock();
  await using client = await open(([, path]) => path === "/slow" ? "silence" : answers.ok, VERSION(), {
    ...createSystem(),
    ...clock,
  });
  const { mkdir } = sftpCalls(client);
  let failed: unknown = null;
  const slow = mkdir("/slow").catch((error) => failed = error);
  await clock.advance(50_000);
  assertEquals(await mkdir("/quick"), null);
  await clock.advance(50_000);
  assertEquals(failed, null);
  await clock.advance(11_000);
  await slow;
  assert(failed instanceof Failure && failed.code === "timeout");
});

Deno.test("limits are what the server says, bounded, or what every server takes", async () => {
  const limits = (...numbers: readonly number[]) => ({ type: 201, body: bytesOf(...numbers.flatMap((number) => [0, number])) });
  const asked = async (told: Told, ...extensions: readonly string[]) => {
    await using client = await open(() => told, VERSION(...extensions));
    return await sftpCalls(client).limits();
  };
  const sure = { readBytes: 32768, writeBytes: 32768, openFiles: 128 };
  assertEquals(await asked("end"), sure);
  assertEquals(await asked(answers.status(STATUS.FAILURE), "limits@openssh.com"), sure);
  assertEquals(await asked(limits(0, 0, 0, 0), "limits@openssh.com"), sure);
  assertEquals(await asked(limits(262144, 261120, 16384, 9), "limits@openssh.com"), {
    readBytes: 255 * 1024,
    writeBytes: 16384,
    openFiles: 8,
  });
});

Deno.test("byteWindow() lets in who asked first, one too large alone, and forgets who gave up", async () => {
  const window = byteWindow(10);
  const told: string[] = [];
  const take = (name: string, bytes: number, signal: AbortSignal) =>
    window.take(bytes, signal).then(() => told.push(name), () => told.push(`not ${name}`));
  const gaveUp = new AbortController();
  const rest = () => new Promise((resolve) => setTimeout(resolve, 0));
  const all = [
    take("a", 6, signal),
    take("large", 20, gaveUp.signal),
    take("b", 4, signal),
    take("larger", 30, signal),
    take("c", 1, signal),
  ];
  await rest();
  assertEquals(told, ["a"]);
  gaveUp.abort();
  await rest();
  assertEquals(told.toSorted(), ["a", "b", "not large"]);
  window.release(6);
  window.release(4);
  await rest();
  assertEquals(told.at(-1), "larger");
  window.release(30);
  await Promise.all(all);
  assertEquals(told.at(-1), "c");
});
