/** Looks for writers that are begun before anybody asks. */
import { assertEquals } from "@std/assert";
import { earlyLooks } from "../../../src/system/processes/early_looks.ts";

const file = { absolutePath: "/data/a.fits", identity: "1:2", size: 10, mtimeMs: 5_000, ctimeMs: 5_000 };

function looks(openForWriting: () => Promise<ReadonlySet<string> | null>) {
  const slept: number[] = [];
  const made = earlyLooks({ now: () => 5_002, sleep: (ms) => (slept.push(ms), Promise.resolve()), openForWriting });
  return { made, slept };
}

Deno.test("earlyLooks() answers for the version that was looked for, and begins when a later write would show", async () => {
  const { made, slept } = looks(() => Promise.resolve(new Set(["/data/b.fits"])));
  made.begin([file, { ...file, absolutePath: "/data/b.fits" }]);
  assertEquals([await made.of(file), await made.of({ ...file, absolutePath: "/data/b.fits" })], [false, true]);
  assertEquals([made.of({ ...file, mtimeMs: 5_004 }), made.of({ ...file, ctimeMs: 6_000 })], [undefined, undefined]);
  assertEquals(slept, [10]);
});

Deno.test("earlyLooks() has no answer where the look failed, so that whoever asks looks again", async () => {
  const { made } = looks(() => Promise.reject(new Error("too many open files")));
  made.begin([file]);
  await made.of(file)?.catch(() => undefined);
  assertEquals(made.of(file), undefined);
});

Deno.test("earlyLooks() tells whether a write was heard of since a file was read", () => {
  const { made } = looks(() => Promise.resolve(null));
  made.heard(file.absolutePath);
  assertEquals([5_001, 5_002, 5_003].map((at) => made.heardSince(file.absolutePath, at)), [true, true, false]);
  assertEquals(made.heardSince("/data/b.fits", 0), false);
});
