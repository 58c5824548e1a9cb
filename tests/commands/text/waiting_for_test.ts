/** What a run that ends by itself says it is waiting for. */
import { assertEquals } from "@std/assert";
import { sayWaiting, type Unsettled, waitingText } from "../../../src/commands/text/waiting_for.ts";
import type { Waiting } from "../../../src/intake/settle/candidate.ts";
import type { PathFacts } from "../../../src/system/system.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

const NOW = Date.UTC(2026, 10, 20, 22);
const MINUTE = 60_000;

function aFile(changes: Partial<Waiting> = {}): Waiting {
  const base = { path: "half.fits", reason: "short", detail: "", hint: "", size: 200_000, declared: 529_920 } as const;
  return { ...base, since: NOW - MINUTE, ...changes };
}

function aJob(...files: Waiting[]): Unsettled {
  return { job: { watchPath: "/data", incompleteAfterMs: 10 * MINUTE }, files };
}

/** A file that was written to so long ago. */
function lookingAt(ageMs: number, now = () => NOW) {
  const at = NOW - ageMs;
  const facts: PathFacts = {
    kind: "file",
    size: 200_000,
    mtimeMs: at,
    ctimeMs: at,
    identity: "1",
    mode: 0o644,
    bornMs: 0,
    links: 1,
    device: "1",
  };
  return { now, separator: "/" as const, facts: () => Promise.resolve(facts) };
}

Deno.test("waitingText() tells how much is there and how long it may take at most", async () => {
  assertEquals(
    await waitingText([aJob(aFile())], lookingAt(7 * MINUTE)),
    "Waiting for half.fits: 200000 of 529920 bytes, 3 min at most unless it keeps growing",
  );
  assertEquals(
    await waitingText([aJob(aFile({ declared: null, reason: "growing" }))], lookingAt(0)),
    "Waiting for half.fits: 200000 bytes so far, 10 min at most unless it keeps growing",
  );
  assertEquals(
    await waitingText([aJob(aFile({ reason: "marker" }))], lookingAt(-MINUTE)),
    "Waiting for half.fits: its marker file is missing, 10 min at most unless it keeps growing",
  );
});

Deno.test("waitingText() names the one that is waited for longest, and counts the others", async () => {
  const files = [
    aFile({ path: "b\x1b.fits", since: NOW - 5_000, reason: "quiet" }),
    aFile({ path: "a b.fits", reason: "writer open" }),
    aFile({ path: "given up.fits", reason: "incomplete", since: 0 }),
  ];
  assertEquals(
    await waitingText([aJob(...files), aJob(aFile({ since: NOW - 4_000 }))], lookingAt(0)),
    'Waiting for "a b.fits": a program is still writing it; and for 2 more',
  );
  assertEquals(
    await waitingText([aJob(files[0]!)], lookingAt(0)),
    "Waiting for b\\x1b.fits: it may still change",
  );
});

Deno.test("waitingText() says nothing of what is waited for a moment only, nor of what is given up", async () => {
  const files = [aFile({ since: NOW - 1_000 }), aFile({ reason: "incomplete" }), aFile({ reason: "refused" })];
  assertEquals(await waitingText([aJob(...files)], lookingAt(0)), null);
  assertEquals(await waitingText([], lookingAt(0)), null);
});

Deno.test("sayWaiting() says it once when the waiting begins and once a minute from then, and always anew on a terminal", async () => {
  for (const isLive of [false, true]) {
    const clock = createFakeClock();
    const begin = clock.now();
    const shown: (string | null)[] = [];
    const end = new AbortController();
    const file = aFile({ reason: "writer open", since: begin });
    const over = sayWaiting(
      () => [aJob(file)],
      { isLive, show: (line) => void shown.push(line) },
      { ...clock, separator: "/", facts: () => Promise.resolve(null) },
      end.signal,
    );
    await clock.advance(2_500);
    assertEquals(shown.filter((line) => line !== null), []);
    await clock.advance(120_000);
    end.abort();
    await over;
    const lines = shown.filter((line) => line !== null);
    assertEquals(new Set(lines), new Set(["Waiting for half.fits: a program is still writing it"]));
    assertEquals(isLive ? lines.length > 60 : lines.length, isLive ? true : 2);
    assertEquals(shown.at(-1) === null, isLive);
  }
});
