import { assertEquals } from "@std/assert";
import { createHead, createTail } from "../../../src/system/processes/processes.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("createHead() keeps the first bytes", () => {
  const head = createHead(5);
  ["abc", "def", "ghi"].forEach((text) => head.add(bytes(text)));
  assertEquals(head.text(), "abcde");
});

Deno.test("createTail() keeps the last bytes, of small pieces and of large ones", () => {
  const tail = createTail(4);
  for (const text of "abcdefghij") tail.add(bytes(text));
  assertEquals(tail.text(), "ghij");
  tail.add(bytes("0123456789"));
  assertEquals(tail.text(), "6789");
  tail.add(bytes("x"));
  assertEquals(tail.text(), "789x");
});

Deno.test("createHead() puts characters together that were cut between pieces", () => {
  const head = createHead(100);
  for (const byte of bytes("ü€")) head.add(new Uint8Array([byte]));
  assertEquals(head.text(), "ü€");
});
