import { assert, assertEquals } from "@std/assert";
import { bar, board } from "../../src/events/board.ts";

const plain = (text: string) => text.replace(/\p{Cc}\[[0-9;]*m/gu, "");

Deno.test("bar() keeps within the width of the terminal and keeps the end of a long path", () => {
  const running = {
    job: "j",
    destination: "nas",
    files: 1,
    bytes: 47,
    total: 100,
    bytesPerSecond: 10,
    path: `${"deep/".repeat(40)}last.fits`,
  };
  for (const columns of [10, 40, 60, 80, 132, 200]) assert(plain(bar(running, columns)).length < columns, String(columns));
  assert(plain(bar(running, 120)).endsWith("last.fits"));
});

Deno.test("board() scrolls log lines above the bars", () => {
  const written: string[] = [];
  const { line, draw } = board((text) => written.push(text), () => 80);
  draw([{ job: "j", destination: "nas", files: 1, bytes: 1, total: 2, bytesPerSecond: 1, path: "a" }]);
  line("hello\n");
  assert(written[1]!.startsWith("\x1b[1A\x1b[0Jhello\n"), JSON.stringify(written));
  draw([]);
  assertEquals(written[2], "\x1b[1A\x1b[0J");
});

Deno.test("board() keeps a line below the bars, cut to the width", () => {
  const written: string[] = [];
  const { draw } = board((text) => written.push(text), () => 12);
  draw([], "Waiting for a.fits");
  draw([], "Waiting for a.fits");
  draw([], "");
  assertEquals(written.map(plain), ["Waiting fo…\n", "\x1b[1A\x1b[0J"]);
});

Deno.test("bar() keeps within the width of the terminal where characters take two columns", () => {
  const path = `${"観測".repeat(40)}.fits`;
  const running = { job: "j", destination: "nas", files: 1, bytes: 47, total: 100, bytesPerSecond: 10, path };
  for (const columns of [80, 100, 132]) {
    const line = plain(bar(running, columns));
    const wide = line.match(/[観測]/g)!.length;
    assert(wide > 0 && line.length + wide < columns, `${columns}: ${line}`);
  }
});
