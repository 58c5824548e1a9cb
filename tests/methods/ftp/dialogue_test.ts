import { assertEquals } from "@std/assert";
import { dialogueReader, type Ended, isYes, lastReply, replyTo } from "../../../src/methods/ftp/dialogue.ts";
import { contentReader } from "../../../src/methods/ftp/content_reader.ts";

/** What is read of a text that arrives in pieces of so many bytes. */
function read(text: string, size: number): { ends: Ended[]; bytes: number[] } {
  const ends: Ended[] = [];
  const bytes: number[] = [];
  const reader = dialogueReader("mark", (ended) => ends.push(ended), (sent) => bytes.push(sent));
  const all = new TextEncoder().encode(text);
  for (let at = 0; at < all.length; at += size) reader.read(all.subarray(at, at + size));
  return { ends, bytes };
}

const DIALOGUE = [
  "* Connected to 127.0.0.1 (127.0.0.1) port 21 (#0)",
  "< 220-Welcome",
  "< 123 is no code here",
  "< 220 ready",
  "> USER observer",
  "< 331 Please",
  "> FEAT",
  "< 211-Features:",
  "<  SIZE",
  "<  UTF8",
  "< 211 End",
  "> STOR /ä/1",
  "< 150 Ok",
  "} [65536 bytes data]",
  "< 226 Done",
  "",
  "mark 0 ",
  "> SIZE /x",
  "< 550 no",
  "",
  "mark 21 QUOT command failed with 550",
  "",
].join("\n");

for (const size of [1, 3, 1000]) {
  Deno.test(`dialogueReader() tells commands, replies and ends apart, in pieces of ${size} bytes`, () => {
    const { ends } = read(DIALOGUE, size);
    assertEquals(ends.map(({ exit, error }) => [exit, error]), [[0, ""], [21, "QUOT command failed with 550"]]);
    assertEquals(replyTo(ends[0]!, "FEAT")?.lines, ["Features:", " SIZE", " UTF8", "End"]);
    assertEquals(replyTo(ends[0]!, "STOR /ä/1")?.code, 226);
    assertEquals(replyTo(ends[0]!, "RETR /y"), null);
    assertEquals([isYes(lastReply(ends[0]!)), isYes(lastReply(ends[1]!)), isYes(null)], [true, false, false]);
  });
}

Deno.test("dialogueReader() tells how far a file is", () => {
  const meter = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n" +
    "\r  0 9765k    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0" +
    "\r 40 9765k    0     0   40 3906k      0  3906k  0:00:02  0:00:01  0:00:01 3906k" +
    "\r100 1.5M    0     0  100 1.5M      0  3906k  0:00:02  0:00:01  0:00:01 3906k\n";
  assertEquals(read(meter, 1000).bytes, [0, 3906 * 1024, 1.5 * 1024 * 1024]);
});

for (const size of [1, 2, 7, 64, 100_000]) {
  Deno.test(`contentReader() takes contents apart that hold half marks and line breaks, in pieces of ${size} bytes`, () => {
    const contents = ["", "a\n", "\nmark", "\nmark\nmar", "\n".repeat(5000), "x".repeat(9000), "mark 0 ", "\nmarkk 0 \n"];
    const all = new TextEncoder().encode(contents.map((content, index) => `${content}\nmark ${index} error ${index}\n`).join(""));
    const found: string[] = [""];
    const ends: [number, string][] = [];
    const reader = contentReader("mark", (piece) => {
      found[found.length - 1] += new TextDecoder().decode(piece);
    }, (exit, error) => {
      ends.push([exit, error]);
      found.push("");
    });
    for (let at = 0; at < all.length; at += size) reader.read(all.subarray(at, at + size));
    assertEquals(found.slice(0, -1), contents);
    assertEquals(ends, contents.map((_, index) => [index, `error ${index}`]));
  });
}
