import { assertEquals } from "@std/assert";
import { dialogueReader, type Exchange, isYes, lastReply, repliesIn, replyTo } from "../../../src/methods/ftp/dialogue.ts";
import { contentReader } from "../../../src/methods/ftp/curl.ts";

/** What is read of a text that arrives in pieces of so many bytes. */
function read(text: string, size: number): { exchanges: readonly Exchange[]; bytes: number[] } {
  const bytes: number[] = [];
  const reader = dialogueReader((sent) => bytes.push(sent));
  const all = new TextEncoder().encode(text);
  for (let at = 0; at < all.length; at += size) reader.read(all.subarray(at, at + size));
  return { exchanges: reader.exchanges(), bytes };
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
  "> EPSV",
  "< 229 Entering Extended Passive Mode (|||5|)",
  "* Connected to 127.0.0.1 (127.0.0.1) port 21 (#0)",
  "> STOR /ä/1",
  "< 150 Ok",
  "} [65536 bytes data]",
  "< 226 Done",
  "> SIZE /x",
  "< 550 no",
  "* Connected to 127.0.0.1 (127.0.0.1) port 21 (#1)",
  "",
].join("\n");

for (const size of [1, 3, 1000]) {
  Deno.test(`dialogueReader() tells commands and replies apart, in pieces of ${size} bytes`, () => {
    const said = read(DIALOGUE, size);
    assertEquals(said.exchanges.map(({ command }) => command), [
      "(connect)",
      "USER observer",
      "FEAT",
      "EPSV",
      "STOR /ä/1",
      "SIZE /x",
      "(connect)",
    ]);
    assertEquals(replyTo(said, "FEAT")?.lines, ["Features:", " SIZE", " UTF8", "End"]);
    assertEquals([replyTo(said, "STOR /ä/1"), repliesIn(said)("STOR /ä/1")].map((reply) => reply?.code), [226, 226]);
    assertEquals([replyTo(said, "RETR /y"), repliesIn(said)("RETR /y")], [null, null]);
    assertEquals([isYes(replyTo(said, "STOR /ä/1")), isYes(lastReply(said)), isYes(null)], [true, false, false]);
  });
}

Deno.test("dialogueReader() hears a server's first words from curl 8.16 and later, which name connections in other words", () => {
  const dialogue = [
    "* Established connection to 127.0.0.1 (127.0.0.1 port 21) from 127.0.0.1 port 52464 ",
    "< 220 ready",
    "> EPSV",
    "< 229 Entering Extended Passive Mode (|||5|)",
    "* Established 2nd connection to 127.0.0.1 (127.0.0.1 port 5) from 127.0.0.1 port 52466 ",
    "> STOR /1",
    "< 150 Ok",
    "* Established connection to 127.0.0.1 (127.0.0.1 port 21) from 127.0.0.1 port 52468 ",
    "< 421 Too many connections.",
    "",
  ].join("\n");
  const said = read(dialogue, 1000).exchanges;
  assertEquals(said.map(({ command }) => command), ["(connect)", "EPSV", "STOR /1", "(connect)"]);
  assertEquals(lastReply({ exchanges: said })?.code, 421);
});

Deno.test("dialogueReader() hears what a slow server says behind the progress meter, on the same line", () => {
  const dialogue = "> EPSV\n< 229 Entering Extended Passive Mode (|||5|)\n" +
    "\r  0 60.0M    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0> STOR /1\n" +
    "\r 40 60.0M    0     0   40 24.1M      0  10.8M  0:00:05  0:00:02  0:00:03 10.8M< 553 Could not create file.\r\n" +
    "\r 38 60.00M   0      0  38 23.06M      0 11.08M   00:05   00:02   00:03 11.10M> NOOP\n" +
    "\r  0      0   0      0   0      0      0      0                              0< 200 ok\n";
  const reader = dialogueReader();
  reader.read(new TextEncoder().encode(dialogue));
  const told = (since?: string) =>
    reader.exchanges(since).map(({ command, replies }) => [command, ...replies.map(({ code }) => code)]);
  assertEquals(told(), [["EPSV", 229], ["STOR /1", 553], ["NOOP", 200]]);
  assertEquals(told("NOOP"), [["NOOP", 200]]);
});

Deno.test("dialogueReader() keeps what a server says, not how often curl tells its progress, up to a limit", () => {
  const text = new TextEncoder();
  let excess = 0;
  const reader = dialogueReader(() => {}, 10_000, () => excess++);
  reader.read(text.encode("> STOR a\r\n"));
  for (let line = 0; line < 1_000; line++) reader.read(text.encode(" 40 9.8M    0     0   40 4096k      0  9.9M  0:00:01\r"));
  reader.read(text.encode("< 226 done\r\n"));
  assertEquals(reader.exchanges(), [{ command: "STOR a", replies: [{ code: 226, lines: ["done"] }] }]);
  assertEquals(excess, 0);
  for (let line = 0; line < 1_000; line++) reader.read(text.encode("< 226-and so on\r\n"));
  assertEquals(excess, 1);
});

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
    const read = contentReader("mark", (piece) => {
      found[found.length - 1] += new TextDecoder().decode(piece);
    }, (exit, error) => {
      ends.push([exit, error]);
      found.push("");
    });
    for (let at = 0; at < all.length; at += size) read(all.subarray(at, at + size));
    assertEquals(found.slice(0, -1), contents);
    assertEquals(ends, contents.map((_, index) => [index, `error ${index}`]));
  });
}
