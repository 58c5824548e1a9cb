import { assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import type { Job } from "../../../src/config/settings.ts";
import type { NewEvent } from "../../../src/domain/transfer_event.ts";
import { watchJob, type WatchSystem } from "../../../src/intake/watch/watch_job.ts";
import type { PathFacts, WatchEvent } from "../../../src/system/system.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { aJob } from "../../support/makers.ts";

/** A folder whose fate the test decides. */
function bench(changes: Partial<Job> = {}, fileSystem = "ext4", identity: string | null = "1:1") {
  const clock = createFakeClock();
  const ending = new AbortController();
  const told: NewEvent[] = [];
  const heard: string[] = [];
  const world = {
    identity,
    responds: true,
    watchFails: null as Error | null,
    /** The watch that is set fails with this. */
    watchBreaks: null as Error | null,
    hints: [] as WatchEvent[],
    watches: 0,
  };
  const system: WatchSystem = {
    ...clock,
    platform: "linux",
    followedFacts: () => {
      if (world.identity === "silent" || !world.responds) return new Promise(() => {});
      return Promise.resolve(world.identity === null ? null : aFolder(world.identity));
    },
    realPath: (path) => Promise.resolve(path),
    run: () => Promise.resolve({ code: 0, signal: null, stdout: fileSystem, stderr: "" }),
    async *watch(_root, _recursive, signal) {
      world.watches++;
      if (world.watchFails) throw world.watchFails;
      const mine = world.identity;
      yield { kind: "other", paths: [] };
      while (!signal.aborted && world.identity === mine) {
        yield* world.hints.splice(0);
        if (world.watchBreaks) throw world.watchBreaks;
        await clock.sleep(1_000, signal);
      }
    },
  };
  const watch = watchJob(aJob("/data", changes), { system, emit: (event) => told.push(event) }, {
    event: (kind, paths) => heard.push(`${kind} ${paths}`),
    lost: (anew) => heard.push(anew ? "lost anew" : "lost"),
  });
  const running = watch.run(ending.signal);
  return {
    ...{ clock, told, heard, world, watch },
    types: () => told.map(({ type }) => type),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

Deno.test("watchJob() has everything listed once the watch is set, and passes events on", async () => {
  await using rig = bench();
  rig.world.hints.push({ kind: "close", paths: ["/data/a.fits"] }, { kind: "other", paths: [] });
  await rig.clock.advance(100);
  assertEquals(rig.heard, ["lost", "close /data/a.fits", "lost"]);
  assertEquals([rig.types(), rig.watch.how()], [["watching"], "events"]);
});

for (const kind of ["nfs4", "cifs", "smb2", "fuse.sshfs", "9p"]) {
  Deno.test(`watchJob() polls where events do not come: ${kind}`, async () => {
    await using rig = bench({}, kind);
    await rig.clock.advance(100);
    assertEquals([rig.watch.how(), rig.world.watches, rig.heard], ["poll", 0, ["lost"]]);
  });
}

Deno.test("watchJob() does as configured", async () => {
  await using poll = bench({ watchMode: "poll" });
  await using events = bench({ watchMode: "events" }, "nfs4");
  await poll.clock.advance(100);
  await events.clock.advance(100);
  assertEquals([poll.watch.how(), events.watch.how()], ["poll", "events"]);
});

Deno.test("watchJob() polls and says why where a watch cannot be set, and tries events again later", async () => {
  await using rig = bench();
  rig.world.watchFails = new Failure("configuration", 'Cannot watch "/data": no more watches', { hint: "Raise the limit." });
  await rig.clock.advance(1_000);
  assertEquals([rig.watch.how(), rig.types()], ["poll", ["notice", "watching"]]);
  const [notice] = rig.told;
  assertEquals(notice?.type === "notice" && notice.message.includes("Raise the limit."), true);
  rig.world.watchFails = null;
  await rig.clock.advance(65_000);
  assertEquals(rig.watch.how(), "events");
});

Deno.test("watchJob() polls, has everything listed and says why where a watch breaks later, and tries events again", async () => {
  await using rig = bench();
  await rig.clock.advance(30_000);
  rig.world.hints.push({ kind: "close", paths: ["/data/last.fits"] });
  rig.world.watchBreaks = new Error("Input/output error");
  await rig.clock.advance(1_000);
  assertEquals([rig.watch.how(), rig.heard], ["poll", ["lost", "close /data/last.fits", "lost"]]);
  assertEquals(rig.types(), ["watching", "notice", "watching"]);
  const notice = rig.told[1];
  assertEquals(notice?.type === "notice" && /Input\/output error.*polled instead/.test(notice.message), true);
  rig.world.watchBreaks = null;
  await rig.clock.advance(65_000);
  assertEquals([rig.watch.how(), rig.heard.at(-1), rig.types().length], ["events", "lost", 4]);
});

Deno.test("watchJob() says once why it polls while the reason stays, however often events are tried again", async () => {
  await using rig = bench();
  rig.world.watchFails = new Failure("configuration", 'Cannot watch "/data": no more watches', { hint: "Raise the limit." });
  await rig.clock.advance(600_000);
  assertEquals([rig.world.watches > 5, rig.watch.how(), rig.types()], [true, "poll", ["notice", "watching"]]);
  rig.world.watchFails = new Error("the disk is ill");
  await rig.clock.advance(120_000);
  assertEquals(rig.types(), ["notice", "watching", "notice"]);
  assertEquals(rig.watch.eventsMissing()?.includes("the disk is ill"), true);
  rig.world.watchFails = null;
  await rig.clock.advance(120_000);
  assertEquals([rig.watch.how(), rig.watch.eventsMissing()], ["events", null]);
});

Deno.test("watchJob() polls from the moment that events are not to be trusted, until another folder stands there", async () => {
  await using rig = bench();
  await rig.clock.advance(100);
  rig.watch.distrust("night/a.fits");
  await rig.clock.advance(600_000);
  assertEquals([rig.watch.how(), rig.watch.silent(), rig.world.watches], ["poll", true, 1]);
  assertEquals(rig.watch.eventsMissing()?.includes("without an event"), true);
  assertEquals([rig.types(), rig.heard], [["watching", "notice", "watching"], ["lost", "lost"]]);
  const notice = rig.told[1];
  assertEquals(notice?.type === "notice" && /night\/a\.fits.*"\/data".*polled instead/.test(notice.message), true);
  rig.watch.distrust("night/b.fits");
  rig.world.identity = "1:2";
  await rig.clock.advance(10_000);
  assertEquals([rig.watch.how(), rig.watch.silent(), rig.types().length], ["events", false, 4]);
});

Deno.test("watchJob() keeps to events where they are configured", async () => {
  await using rig = bench({ watchMode: "events" });
  await rig.clock.advance(100);
  rig.watch.distrust("a.fits");
  await rig.clock.advance(10_000);
  assertEquals([rig.watch.how(), rig.watch.silent(), rig.types()], ["events", false, ["watching"]]);
});

Deno.test("watchJob() tells once that the folder is missing, and goes on when it is there", async () => {
  await using rig = bench({}, "ext4", null);
  await rig.clock.advance(10_000);
  assertEquals([rig.watch.how(), rig.watch.failure()?.code, rig.types()], [null, "source_gone", ["not_watching"]]);
  rig.world.identity = "1:2";
  await rig.clock.advance(2_000);
  assertEquals([rig.watch.how(), rig.watch.failure(), rig.types()], ["events", null, ["not_watching", "watching"]]);
});

Deno.test("watchJob() names a Windows path on another system as what it is", async () => {
  await using rig = bench({ watchPath: "C:/Users/Observer/images" }, "ext4", null);
  await rig.clock.advance(10_000);
  assertEquals(rig.watch.failure()?.hint, "Correct watch_path.");
});

for (const watchMode of ["events", "poll"] as const) {
  Deno.test(`watchJob() notices within seconds that the folder was made anew, by ${watchMode}`, async () => {
    await using rig = bench({ watchMode });
    await rig.clock.advance(5_000);
    rig.heard.length = 0;
    rig.world.identity = "1:2";
    await rig.clock.advance(5_000);
    assertEquals(rig.heard, ["lost anew"]);
  });
}

Deno.test("watchJob() does not wait for ever for a file system that does not answer", async () => {
  await using rig = bench({}, "ext4", "silent");
  await rig.clock.advance(20_000);
  assertEquals([rig.watch.how(), rig.watch.failure()?.code], [null, "timeout"]);
  rig.world.identity = "1:1";
  await rig.clock.advance(20_000);
  assertEquals(rig.watch.how(), "events");
});

Deno.test("watchJob() does not run in circles where a watch ends as soon as it is set", async () => {
  await using rig = bench();
  rig.world.watchFails = new Deno.errors.NotFound("gone again");
  await rig.clock.advance(10_000);
  assertEquals(rig.world.watches <= 11, true, `${rig.world.watches} watches`);
});

function aFolder(identity: string): PathFacts {
  return {
    kind: "folder",
    size: 0,
    mtimeMs: 0,
    ctimeMs: 0,
    mode: 0o755,
    bornMs: 0,
    links: 1,
    identity,
    device: identity.split(":")[0]!,
  };
}

Deno.test("watchJob() says that a disk does not respond for a minute, and keeps its watch, which goes on when it does", async () => {
  await using rig = bench();
  await rig.clock.advance(5_000);
  rig.world.responds = false;
  await rig.clock.advance(50_000);
  assertEquals(rig.watch.how(), "events");
  await rig.clock.advance(40_000);
  assertEquals([rig.watch.how(), rig.watch.failure()?.code], [null, "timeout"]);
  rig.world.responds = true;
  await rig.clock.advance(600_000);
  assertEquals([rig.watch.how(), rig.types()], ["events", ["watching", "not_watching", "watching"]]);
  assertEquals(rig.world.watches, 1);
});
