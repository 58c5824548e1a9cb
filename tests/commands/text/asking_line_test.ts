/** What a terminal shows while a destination is asked. */
import { assertEquals } from "@std/assert";
import { askingLine, WIPE } from "../../../src/commands/text/waiting_for.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

function onTerminal(isTerminal = true, columns = 80) {
  const clock = createFakeClock();
  const shown: string[] = [];
  const stderr = (text: string) => void shown.push(text.replace(WIPE, "|"));
  return { clock, shown, tools: { stderr, system: { ...clock, isTerminal: () => isTerminal, columns: () => columns } } };
}

Deno.test("askingLine() says that a host is silent, and for how long, until it is heard", async () => {
  const { clock, shown, tools } = onTerminal();
  const line = askingLine("fre\x1bya", tools);
  await clock.advance(4_100);
  line.heard("0 of 20 checked");
  await clock.advance(1_000);
  assertEquals(shown, [
    "|fre\\x1bya: connecting",
    "|fre\\x1bya: connecting",
    "|fre\\x1bya: connecting, waiting for an answer for 3 s",
    "|fre\\x1bya: connecting, waiting for an answer for 4 s",
    "|fre\\x1bya: 0 of 20 checked",
  ]);
  await line[Symbol.asyncDispose]();
  assertEquals(shown.at(-1), "|");
});

Deno.test("askingLine() never fills a whole line, and shows nothing for a moment's work", async () => {
  const narrow = onTerminal(true, 20);
  const line = askingLine("skadi-archive", narrow.tools);
  await narrow.clock.advance(1_000);
  await line[Symbol.asyncDispose]();
  assertEquals(narrow.shown, ["|skadi-archive: conn", "|"]);
  const quick = onTerminal();
  await askingLine("freya", quick.tools)[Symbol.asyncDispose]();
  const piped = onTerminal(false);
  const silent = askingLine("freya", piped.tools);
  await piped.clock.advance(10_000);
  await silent[Symbol.asyncDispose]();
  assertEquals([quick.shown, piped.shown], [[], []]);
});
