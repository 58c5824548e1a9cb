import { assertEquals } from "@std/assert";
import type { Act, Answer, Names } from "../../src/methods/names.ts";
import { publish } from "../../src/methods/naming.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { publication, STAGING } from "../conformance/rig.ts";

const signal = new AbortController().signal;

/** A destination in memory that keeps what it is asked: the kinds of acts in each phase of each call. */
function aDestination(replaces: boolean): Names & { readonly calls: string[][]; readonly files: Set<string> } {
  const calls: string[][] = [];
  const [files, folders] = [new Set<string>(), new Set<string>()];
  const answer = (act: Act): Answer => {
    switch (act.do) {
      case "free":
        return { done: !files.has(act.path) && !folders.has(act.path) };
      case "mkdir":
        return { done: !folders.has(act.path) && Boolean(folders.add(act.path)) };
      case "rmdir":
        return { done: folders.delete(act.path) };
      case "give":
        return { done: (act.free === true || !files.has(act.to)) && Boolean(files.add(act.to)) };
      default:
        return { done: true };
    }
  };
  return {
    calls,
    files,
    where: "there",
    system: { ...createFakeClock(), random: () => 0 },
    stagingRoot: STAGING,
    timeoutMs: 1000,
    place: "there",
    known: new Set(),
    check: () => {},
    mayReplace: () => Promise.resolve(replaces),
    act: (phases) => {
      const asked = phases.filter((acts) => acts.length > 0);
      if (asked.length > 0) calls.push(asked.map((acts) => [...new Set(acts.map((act) => act.do))].join("+")));
      return Promise.resolve(new Map(phases.flat().map((act) => [act, answer(act)])));
    },
    list: () => Promise.resolve([]),
    digest: () => Promise.resolve([]),
    checkBase: () => Promise.resolve(),
    checkStaging: () => Promise.resolve(true),
    strangers: () => Promise.resolve(new Map()),
    failure: (what) => new Error(what) as never,
  };
}

function batch(number: number, count = 20) {
  return Array.from({ length: count }, (_, index) => ({
    ...publication(`${STAGING}/a${number}/${index}`, `night/light/${number}-${index}.fits`),
    fileMode: 0o644,
    directoryMode: 0o755,
  }));
}

Deno.test("publish() gives a batch of free names in two calls where a rename never replaces, whatever their number", async () => {
  const there = aDestination(false);
  await publish(there, batch(1), signal);
  assertEquals(there.calls.splice(0), [["mkdir", "mkdir", "mode"], ["mode", "give"]]);
  await publish(there, batch(2), signal);
  assertEquals(there.calls, [["mode"], ["give"]]);
  assertEquals(there.files.size, 40);
});

Deno.test("publish() gives a batch of free names in two calls where all is asked first in turn, turn and look included", async () => {
  const there = aDestination(true);
  await publish(there, batch(1), signal);
  assertEquals(there.calls.splice(0), [["mkdir", "mkdir", "mkdir", "mode", "free"], ["mode", "give", "rmdir"]]);
  await publish(there, batch(2), signal);
  assertEquals(there.calls, [["mkdir", "mode", "free"], ["give", "rmdir"]]);
});

Deno.test("publish() of more names than others wait for takes the turn before, and gives it back afterwards", async () => {
  const there = aDestination(true);
  await publish(there, batch(1, 100), signal);
  assertEquals(there.calls, [["mkdir"], ["mkdir", "mkdir", "mode", "free"], ["mode", "give"], ["rmdir"]]);
});
