import { assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { SftpChannels } from "../../../src/methods/sftp/sftp_channels.ts";
import type { SftpConnection } from "../../../src/methods/sftp/sftp_connection.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aLine } from "../../conformance/rig.ts";

const signal = new AbortController().signal;
const MUCH = 100 << 20;
const LOST = new Failure("interrupted", "Lost nas");

/** Connections over a line with this round trip; `most` is what the server takes. */
function server(roundTripMs: number, most = Infinity) {
  const open: { lost: Failure | null }[] = [];
  const connect = (): Promise<SftpConnection> => {
    if (open.length >= most) return Promise.reject(new Failure("interrupted", "the server refused one more session"));
    const calls = { lost: null as Failure | null };
    open.push(calls);
    const close = () => {
      open.splice(open.indexOf(calls), 1);
      return Promise.resolve();
    };
    return Promise.resolve(
      { calls, limits: { openFiles: 10 }, roundTripMs, [Symbol.asyncDispose]: close } as unknown as SftpConnection,
    );
  };
  return { open, connect, line: aLine(roundTripMs) };
}

Deno.test("a long line has several channels for many bytes, a short one has one", async () => {
  for (const [roundTripMs, expected] of [[200, 6], [60, 3], [5, 1]] as const) {
    const { open, connect, line } = server(roundTripMs);
    const channels = new SftpChannels(line, null, connect);
    const files = await Promise.all([channels.ready(MUCH, signal), channels.ready(MUCH, signal)]);
    assertEquals([open.length, channels.streams(), ...files], [expected, expected, 10 * expected, 10 * expected]);
    await channels[Symbol.asyncDispose]();
    assertEquals(open.length, 0);
  }
});

Deno.test("few bytes do not wait for the channels that many will need, nor does a server without channels log in for each", async () => {
  const { connect, line } = server(200);
  await using channels = new SftpChannels(line, null, connect);
  assertEquals(await channels.ready(1000, signal), 10);
  assertEquals(await channels.ready(1000, signal), 60);
  await using single = new SftpChannels(aLine(200, false), null, connect);
  assertEquals([await single.ready(MUCH, signal), await single.ready(MUCH, signal), single.streams()], [10, 10, 1]);
});

Deno.test("where the server takes no more sessions, those that are open must do", async () => {
  const { open, connect, line } = server(200, 2);
  const channels = new SftpChannels(line, null, connect);
  assertEquals([await channels.ready(MUCH, signal), await channels.ready(MUCH, signal), open.length], [20, 20, 2]);
});

Deno.test("pick() gives the channel with the least to do", async () => {
  const { connect, line } = server(50);
  const channels = new SftpChannels(line, null, connect);
  await channels.ready(MUCH, signal);
  const [one, other] = [channels.pick(100), channels.pick(50)];
  assertEquals(one === other, false);
  assertEquals(channels.pick(10) === other, true);
  channels.done(one, 100);
  assertEquals(channels.pick(10) === one, true);
});

Deno.test("a channel that was lost alone is replaced, the connection of all others is not", async () => {
  const { open, connect, line } = server(5);
  const channels = new SftpChannels(line, null, connect);
  await channels.ready(MUCH, signal);
  open[0]!.lost = LOST;
  await channels.ready(MUCH, signal);
  assertEquals(open.map(({ lost }) => lost), [null]);

  const first = await connect();
  const shared = new SftpChannels(aLine(200), first, connect);
  Object.assign(first.calls, { lost: LOST });
  await rejectsWith(() => shared.ready(MUCH, signal), ["interrupted"]);
});
