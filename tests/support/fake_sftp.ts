/** An SFTP server in memory, as the program that a client talks to: a test says what it answers to each request. */
import { queue } from "../../src/async/queue.ts";
import { REQUEST } from "../../src/methods/sftp/sftp_protocol.ts";
import { PacketSplitter } from "../../src/methods/sftp/sftp_protocol.ts";
import type { Child } from "../../src/system/system.ts";

/** A request in words: `["MKDIR", "/base/x"]`, `["fsync@openssh.com", "handle"]`. */
export type Asked = readonly string[];

/** What becomes of a request: bytes as they are, an answer to it, nothing, or the end of the server. */
export type Told = Uint8Array | { readonly type: number; readonly body: Uint8Array } | "silence" | "end";

/** Answers of each kind. */
export const answers = {
  status: (code: number, message = ""): Told => ({ type: 101, body: bytesOf(code, message, "") }),
  handle: (name: string): Told => ({ type: 102, body: bytesOf(name) }),
  data: (bytes: Uint8Array): Told => ({ type: 103, body: bytesOf(bytes) }),
  names: (...names: readonly (readonly [name: string, mode: number])[]): Told => ({
    type: 104,
    body: bytesOf(names.length, ...names.flatMap(([name, mode]) => [name, `long ${name}`, 4, mode])),
  }),
  attributes: (mode: number, bytes = 0): Told => ({ type: 105, body: bytesOf(5, 0, bytes, mode) }),
  ok: { type: 101, body: new Uint8Array(12) } as Told,
};

/** Numbers as uint32, text and bytes with their length in front. */
export function bytesOf(...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => {
    if (typeof part === "number") return [part >>> 24, part >>> 16 & 255, part >>> 8 & 255, part & 255];
    const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
    return [...bytesOf(bytes.length), ...bytes];
  }));
}

/** A packet: its length in front, its type first. */
export function packetOf(type: number, body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(5 + body.length);
  packet.set([...bytesOf(1 + body.length), type]);
  packet.set(body, 5);
  return packet;
}

/** The server's first packet. */
export const VERSION = (...extensions: readonly string[]) =>
  packetOf(2, bytesOf(3, ...extensions.flatMap((name) => [name, "1"])));

/** `greeting` is what it says first. */
export function fakeSftp(greeting: Uint8Array, tell: (asked: Asked, data: Uint8Array) => Told): { spawn: () => Promise<Child> } {
  return {
    spawn: () => {
      const output = queue<Uint8Array>();
      const ended = Promise.withResolvers<{ code: number; signal: string | null }>();
      const end = (code: number) => {
        output.end();
        ended.resolve({ code, signal: null });
      };
      const splitter = new PacketSplitter();
      function take(packet: Uint8Array): void {
        if (packet[0] === REQUEST.INIT) return output.push(greeting);
        const told = tell(inWords(packet), packet);
        if (told === "end") return end(255);
        if (told === "silence") return;
        if (told instanceof Uint8Array) return output.push(told);
        const body = new Uint8Array(4 + told.body.length);
        body.set(packet.subarray(1, 5));
        body.set(told.body, 4);
        output.push(packetOf(told.type, body));
      }
      return Promise.resolve({
        pid: 1,
        write: (data) => {
          const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
          for (const packet of splitter.push(bytes)) take(packet);
          return Promise.resolve();
        },
        closeStdin: () => Promise.resolve(end(0)),
        stdout: output,
        stderr: () => "",
        finished: ended.promise,
        end: () => Promise.resolve(end(143)),
        [Symbol.asyncDispose]: () => Promise.resolve(end(143)),
      });
    },
  };
}

const NAMES = new Map(Object.entries(REQUEST).map(([name, type]) => [type as number, name]));
/** How many strings each request begins with; numbers and attributes behind them are left out. */
const TWO_STRINGS = ["RENAME", "posix-rename@openssh.com", "hardlink@openssh.com"];

function inWords(packet: Uint8Array): Asked {
  const view = new DataView(packet.buffer, packet.byteOffset);
  const strings: string[] = [];
  let at = 5;
  const string = () => {
    const length = view.getUint32(at);
    strings.push(new TextDecoder().decode(packet.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
    return strings.at(-1)!;
  };
  const name = NAMES.get(packet[0]!)!;
  const first = name === "EXTENDED" ? string() : (strings.push(name), name);
  if (at < packet.length) string();
  if (TWO_STRINGS.includes(first)) string();
  return strings;
}
