import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  decodeAnswer,
  decodeUint64s,
  decodeVersion,
  encodeRequest,
  kindOf,
  LONGEST_PACKET,
  OPEN_FOR,
  PacketSplitter,
  ProtocolError,
  REQUEST,
} from "../../../src/methods/sftp/sftp_protocol.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const encodeHex = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("hex");

Deno.test("encodeRequest() writes the bytes of draft-ietf-secsh-filexfer-02", () => {
  const table: readonly [string, Uint8Array][] = [
    ["00000005 01 00000003", encodeRequest(REQUEST.INIT, null, [3])],
    ["0000000b 11 00000007 00000002 2f61", encodeRequest(REQUEST.STAT, 7, ["/a"])],
    [
      "00000019 03 00000001 00000004 2fc3bc78 0000001a 00000004 000001a4",
      encodeRequest(REQUEST.OPEN, 1, ["/üx", OPEN_FOR.WRITE | OPEN_FOR.CREATE | OPEN_FOR.TRUNCATE, { permissions: 0o644 }]),
    ],
    [
      "00000016 05 00000002 00000001 68 0000000100000002 00008000",
      encodeRequest(REQUEST.READ, 2, [hex("68"), 0x1_0000_0002n, 32768]),
    ],
    [
      "0000001a 0a 00000003 00000001 68 0000000c 000001b6 00000005 00000006",
      encodeRequest(REQUEST.FSETSTAT, 3, [hex("68"), { permissions: 0o666, times: { accessed: 5, modified: 6 } }]),
    ],
    // The data of a write is counted, and sent behind.
    [
      "00000019 06 00000004 00000001 68 0000000000000000 00000003",
      encodeRequest(REQUEST.WRITE, 4, [hex("68"), 0n], hex("aabbcc")),
    ],
  ];
  for (const [expected, packet] of table) assertEquals(encodeHex(packet), expected.replaceAll(" ", ""));
  const name = encodeRequest(REQUEST.EXTENDED, 5, ["fsync@openssh.com", hex("68")]);
  assertEquals(
    encodeHex(name),
    `0000001f c8 00000005 00000011 ${encodeHex("fsync@openssh.com")} 00000001 68`.replaceAll(" ", ""),
  );
});

Deno.test("decodeVersion() tells the extensions", () => {
  const { version, extensions } = decodeVersion(hex(`02 00000003 00000001 61 00000001 31 00000002 6262 00000000`));
  assertEquals([version, [...extensions]], [3, ["a", "bb"]]);
  assertThrows(() => decodeVersion(hex("65 00000003")), ProtocolError);
});

Deno.test("decodeAnswer() reads every kind of answer", () => {
  const answer = (text: string) => decodeAnswer(hex(text));
  assertEquals(answer("65 00000009 00000003 00000002 6e6f 00000000"), {
    id: 9,
    answer: { kind: "status", code: 3, message: "no" },
  });
  assertEquals(answer("65 00000009 00000000"), { id: 9, answer: { kind: "status", code: 0, message: "" } });
  assertEquals(answer("66 00000001 00000002 0001").answer, { kind: "handle", handle: hex("0001") });
  assertEquals(answer("67 00000001 00000003 aabbcc").answer, { kind: "data", bytes: hex("aabbcc") });
  assertEquals(answer("68 00000001 00000001 00000001 61 00000002 2d2d 00000004 000041ed").answer, {
    kind: "names",
    names: [{ name: "a", attributes: { permissions: 0o40755 } }],
  });
  // Size, owners, permissions, times, and an extension of the server's own.
  const all =
    "69 00000001 8000000f 0000000100000000 00000001 00000002 000081a4 00000005 00000006 00000001 00000001 61 00000001 62";
  assertEquals(answer(all).answer, {
    kind: "attributes",
    attributes: { bytes: 2 ** 32, uid: 1, permissions: 0o100644, times: { accessed: 5, modified: 6 } },
  });
  const { answer: extended } = answer("c9 00000001 0000000000000001 0000000100000000");
  assertEquals(extended.kind === "extended" && decodeUint64s(extended.body, 2), [1, 2 ** 32]);
});

Deno.test("decodeAnswer() refuses packets that end too early, and unknown ones", () => {
  for (
    const text of [
      "65 00000009",
      "66 00000001 7fffffff 00",
      "67 00000001 ffffffff",
      "68 00000001 ffffffff 00000001 61",
      "69 00000001 80000000 ffffffff",
      "69 00000001 00000001 0000",
      "6a 00000001",
    ]
  ) assertThrows(() => decodeAnswer(hex(text)), ProtocolError);
});

Deno.test("PacketSplitter gives the same packets however they are cut", () => {
  const stream = hex("00000005 0200000003 00000006 650000000100 00000005 6500000002");
  const whole = ["0200000003", "650000000100", "6500000002"];
  for (let size = 1; size <= stream.length; size++) {
    const splitter = new PacketSplitter();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const packet of splitter.push(stream.subarray(at, at + size))) found.push(encodeHex(packet));
    }
    assertEquals(found, whole, `pieces of ${size}`);
  }
});

Deno.test("PacketSplitter takes no memory for a length that no packet has", () => {
  for (const length of [0, 4, LONGEST_PACKET + 1, 10 << 20, 2 ** 32 - 1]) {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length);
    assertThrows(() => [...new PacketSplitter().push(Uint8Array.from([...head, 101, 0]))], ProtocolError);
  }
});

Deno.test("kindOf() tells files from folders, and takes what a server says nothing of for a file", () => {
  assertEquals([0o100644, 0o644, 0o40755, 0o120777, 0o10644].map((permissions) => kindOf({ permissions })), [
    "file",
    "file",
    "folder",
    "other",
    "other",
  ]);
  assertEquals(kindOf({}), "file");
});
