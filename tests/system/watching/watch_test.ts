import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import type { WatchEvent } from "../../../src/system/system.ts";
import { createWatch } from "../../../src/system/watching/watch.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;

/** Watches; `until` resolves as soon as a hint is as wanted, and fails loudly instead of hanging. */
async function watching(root: string, recursive = true) {
  const stop = new AbortController();
  const hints: WatchEvent[] = [];
  let look = () => {};
  let ended = false;
  const done = (async () => {
    for await (const hint of system.watch(root, recursive, stop.signal)) {
      hints.push(hint);
      look();
    }
    ended = true;
    look();
  })();
  const wait = async (holds: () => boolean, what: string) => {
    const patience = new AbortController();
    const late = system.sleep(20_000, patience.signal).then(() => {
      if (!holds()) throw new Error(`${what} did not come; hints: ${JSON.stringify(hints.slice(-20))}`);
    });
    while (!holds() && !ended) await Promise.race([new Promise<void>((resolve) => look = resolve), late, done]);
    patience.abort();
    await late;
  };
  await wait(() => hints.length > 0, "the first hint");
  hints.length = 0;
  return {
    hints,
    until: (wanted: (hint: WatchEvent) => boolean, what: string) => wait(() => hints.some(wanted), what),
    ended: () => wait(() => ended, "the end"),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

const of = (kind: WatchEvent["kind"], path: string) => (hint: WatchEvent) => hint.kind === kind && hint.paths.includes(path);
const listAgain = (hint: WatchEvent) => hint.paths.length === 0;

Deno.test("watch() tells of a writer's close, which reading does not give", { ignore: system.platform !== "linux" }, async () => {
  await using dir = await tempFolder();
  await dir.write("old.fits", "x");
  await using watched = await watching(dir.path);
  await dir.read("old.fits");
  const path = await dir.write("a.fits", "x");
  await watched.until(of("close", path), "close");
  assertEquals(watched.hints.filter(({ paths }) => paths.includes(dir.at("old.fits"))), []);
});

Deno.test("watch() tells of new, written, renamed and removed files", async () => {
  await using dir = await tempFolder();
  await using watched = await watching(dir.path);
  await dir.write("a.tmp", "x");
  await watched.until(of("create", dir.at("a.tmp")), "create");
  await watched.until(of("write", dir.at("a.tmp")), "write");
  await system.rename(dir.at("a.tmp"), dir.at("a.fits"));
  await watched.until(of("rename", dir.at("a.fits")), "rename");
  await system.remove(dir.at("a.fits"));
  await watched.until(of("remove", dir.at("a.fits")), "remove");
});

Deno.test("watch() begins every path with the root as it was given", async () => {
  await using dir = await tempFolder();
  await system.makeFolder(dir.at("real"));
  await system.symlink("real", dir.at("link"));
  await using watched = await watching(dir.at("link"));
  await dir.write("real/a.fits", "x");
  await watched.until(of("create", dir.at("link", "a.fits")), "create under the given name");
});

Deno.test("watch() names every one of many files, or asks for a new listing", async () => {
  await using dir = await tempFolder();
  await using watched = await watching(dir.path);
  const script = "import sys\nfor n in range(3000): open(f'{sys.argv[1]}/f{n}.fits', 'w').close()";
  await system.run({ program: "python3", args: ["-c", script, dir.path] }, never);
  const named = new Set<string>();
  const complete = (hint: WatchEvent) => listAgain(hint) || hint.paths.some((path) => named.add(path).size === 3_000);
  await watched.until(complete, "the last of 3000 names, or a hint without paths,");
});

Deno.test("watch() asks for a new listing when its consumer stalls past 8,192 hints, and keeps no more of them", async () => {
  await using dir = await tempFolder();
  const stop = new AbortController();
  const slow = system.watch(dir.path, true, stop.signal)[Symbol.asyncIterator]();
  await slow.next();
  await using other = await watching(dir.path);
  await dir.write("first.fits", "x");
  // Few files, so that this is no burst; by turns, so that the kernel does not put their events together.
  const files = await Promise.all(["a", "b"].map((name) => Deno.open(dir.at(name), { create: true, write: true })));
  for (let n = 0; n < 9_500; n++) {
    await files[n % 2]!.write(new Uint8Array(1));
    // Deno before 2.9 drops what comes while 16 wait.
    if (n % 12 === 0) await system.sleep(1);
  }
  files.forEach((file) => file.close());
  await other.until(of("close", dir.at("b")), "the last close");
  await dir.write("last.fits", "x");
  const isLast = of("create", dir.at("last.fits"));
  await other.until(isLast, "the last hint at a consumer that keeps up");
  // All that it was told, a stalled one was told, too.
  const hints: WatchEvent[] = [];
  while (!hints.some(isLast)) hints.push((await slow.next()).value!);
  stop.abort();
  await slow.return?.();
  assert(hints.length <= 8_192, `${hints.length} hints`);
  assert(!hints.some(of("create", dir.at("first.fits"))), "it did not stall");
  assert(hints.some(listAgain), "no hint without paths");
});

Deno.test(
  "watch() goes on after a name that is not UTF-8, and asks for a new listing",
  { ignore: system.platform !== "linux" },
  async () => {
    await using dir = await tempFolder();
    await using watched = await watching(dir.path);
    const script = "import os,sys\nos.chdir(sys.argv[1])\nopen(b'\\xff.fits', 'w').close()";
    await system.run({ program: "python3", args: ["-c", script, dir.path] }, never);
    await watched.until(listAgain, "a hint without paths");
    await dir.write("after.fits", "x");
    await watched.until(of("create", dir.at("after.fits")), "create");
  },
);

Deno.test("watch() ends when its root is removed", { ignore: system.platform !== "linux" }, async () => {
  await using dir = await tempFolder();
  await system.makeFolder(dir.at("root"));
  await using watched = await watching(dir.at("root"));
  await system.removeTree(dir.at("root"));
  await watched.ended();
});

const IMPATIENT = { probeEveryMs: 100, patienceSeconds: 1, standstillMs: 60_000 };

/** All hints of one root, until it fails or the test ends. */
function following(root: string, { watch }: Pick<typeof system, "watch">) {
  const stop = new AbortController();
  const hints: WatchEvent[] = [];
  const over = (async () => {
    for await (const hint of watch(root, true, stop.signal)) hints.push(hint);
  })().then(() => null, (error: Error) => error);
  const until = async (holds: () => boolean) => {
    while (!holds()) await system.sleep(20);
  };
  return { hints, over, until, stop: () => stop.abort() };
}

for (const [what, ...make] of [["pipe", "mkfifo", "x"], ["link to a pipe", "ln", "-s", "../pipe", "x"]] as const) {
  Deno.test(
    `watch() of a folder with a ${what} fails and says why; others are watched on, and it is watched again when that is gone`,
    { ignore: system.platform !== "linux" },
    async () => {
      await using dir = await tempFolder();
      for (const name of ["bad", "good"]) await system.makeFolder(dir.at(name));
      await system.run({ program: "mkfifo", args: [dir.at("pipe")] }, never);
      const { watch } = createWatch(IMPATIENT);
      const bad = following(dir.at("bad"), { watch });
      const good = following(dir.at("good"), { watch });
      await good.until(() => good.hints.length > 0 && bad.hints.length > 0);
      const [program, ...args] = make;
      const { success } = await new Deno.Command(program, { args, cwd: dir.at("bad") }).output();
      assert(success);
      assertMatch((await bad.over)?.message ?? "", /bad" for events: ".*bad\/x" is a named pipe, and blocks/);
      assertMatch((await following(dir.at("bad"), { watch }).over)?.message ?? "", /named pipe/);
      await good.until(() => good.hints.filter(listAgain).length > 1);
      await dir.write("good/a.fits", "x");
      await good.until(() => good.hints.some(of("close", dir.at("good/a.fits"))));
      await Deno.remove(dir.at("bad/x"));
      const mended = following(dir.at("bad"), { watch });
      await mended.until(() => mended.hints.length > 0);
      await dir.write("bad/b.fits", "x");
      await mended.until(() => mended.hints.some(of("close", dir.at("bad/b.fits"))));
      for (const one of [bad, good, mended]) one.stop();
      assertEquals([await good.over, await mended.over], [null, null]);
    },
  );
}

Deno.test("watch() throws when there is nothing to watch", async () => {
  await using dir = await tempFolder();
  await rejectsToWatch(dir, "nothing");
  await dir.write("file", "");
  await rejectsToWatch(dir, "file");
});

async function rejectsToWatch(dir: TempFolder, name: string): Promise<void> {
  const hints = system.watch(dir.at(name), true, never)[Symbol.asyncIterator]();
  const error = await assertRejects(() => hints.next(), Deno.errors.NotFound);
  assert(error.message.includes(dir.at(name)));
}

Deno.test("watch() with an aborted signal ends at once", async () => {
  const hints = system.watch("/nothing", true, AbortSignal.abort())[Symbol.asyncIterator]();
  assertEquals((await hints.next()).done, true);
});

Deno.test(
  "guardMainThread() ends a process whose main thread stands still",
  { ignore: system.platform === "windows" },
  async () => {
    const module = new URL("../../../src/system/watching/watch.ts", import.meta.url).href;
    const program = `import { createWatch } from "${module}";
      createWatch({ probeEveryMs: 50, patienceSeconds: 5, standstillMs: 300 }).guardMainThread(new AbortController().signal);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      console.log("alive after a second");
      while (true);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-check", program],
      stdout: "piped",
      stderr: "piped",
    });
    const { signal, stdout, stderr } = await child.output();
    assertEquals([signal, new TextDecoder().decode(stdout)], ["SIGKILL", "alive after a second\n"]);
    assertMatch(new TextDecoder().decode(stderr), /the program stood still/);
  },
);
