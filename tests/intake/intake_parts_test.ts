/** The small parts of the intake. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import type { NewerThan } from "../../src/domain/newer_than.ts";
import type { FileFacts } from "../../src/domain/source_file.ts";
import { admissionOf } from "../../src/intake/admit/admit_finished.ts";
import {
  type Candidate,
  candidates,
  look,
  observation,
  touch,
  waitingOf,
  withContent,
  withoutStaleContent,
} from "../../src/intake/settle/candidate.ts";
import { type Content, hasEmptyTail } from "../../src/intake/settle/inspect.ts";
import { type Found, type KnownFiles, knownFiles, type Trust } from "../../src/intake/watch/known_files.ts";
import { asideText, leftAside } from "../../src/intake/watch/left_aside.ts";
import type { AsideMemory } from "../../src/ledger/intake_ledger.ts";

import { recentCloses } from "../../src/intake/watch/events.ts";
import { foldersTell, isRemoteFolder, isRemoteKind, nfsExports, remotenessOf, writers } from "../../src/intake/settle/writers.ts";
import { absolutePathOf, relativePathOf } from "../../src/intake/source_path.ts";
import type { Stretch, System } from "../../src/system/system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aDestination, aJob } from "../support/makers.ts";

const NIGHT = { timezone: "UTC", rollover: "12:00", siteLongitude: null };

const asGiven = (path: string) => Promise.resolve(path);

function facts(changes: Partial<FileFacts> = {}): FileFacts {
  return { path: "a.fits", size: 10, mtimeMs: Date.UTC(2026, 0, 2, 3), ctimeMs: 0, identity: "1:2", ...changes };
}

Deno.test("look() counts looks at one version and begins anew with the next", () => {
  const first = look(undefined, facts(), 0, 0);
  const second = look(first, facts(), 100, 100);
  const grown = look(
    { ...second, content: { verdict: { verdict: "undeclared" }, hasSums: null, emptyTail: false, cards: null } },
    facts({ size: 20, mtimeMs: 5 }),
    200,
    200,
  );
  assertEquals([first.looks, second.looks, second.changedAt], [1, 2, 0]);
  assertEquals([grown.looks, grown.changedAt, grown.grew, grown.content, grown.since], [1, 200, true, undefined, 0]);
});

Deno.test("a content that was not all there is read again after an event, and where another write could leave the mtime as it is", () => {
  const found = (verdict: Content["verdict"], mtimeMs: number, readAt: number) => {
    const content = { verdict, hasSums: null, emptyTail: false, cards: null };
    return withContent(look(undefined, facts({ mtimeMs }), 0, 0), content, readAt);
  };
  const short = { verdict: "short", reason: "its header is not written yet", declaredBytes: null } as const;
  const [fat, hfs, linux] = [2_000 * 5, 1_000 * 5, 5_004];
  const isKept = (candidate: Candidate) => withoutStaleContent(candidate).content !== undefined;
  assertEquals([1_500, 2_500].map((at) => isKept(found(short, fat, at))), [false, true]);
  assertEquals([900, 1_500].map((at) => isKept(found(short, hfs, at))), [false, true]);
  assertEquals([10, 30].map((at) => isKept(found(short, linux, at))), [false, true]);
  assertEquals(isKept(touch(found(short, linux, 30), true)), false);
  assertEquals(isKept(touch(found({ verdict: "reached", declaredBytes: 10 }, fat, 0), true)), true);
});

Deno.test("look() takes a changed ctime, and a replaced file of the same size, for a change", () => {
  const first = look(undefined, facts(), 0, 0);
  assertEquals(look(first, facts({ ctimeMs: 1_000 }), 100, 100).looks, 1);
  const replaced = look(first, facts({ identity: "1:3", size: 99 }), 100, 100);
  assertEquals([replaced.looks, replaced.grew], [1, false]);
});

Deno.test("touch() remembers whether the last event was a close, and wakes what was given up", () => {
  const given = { ...look(undefined, facts(), 0, 0), state: { is: "incomplete", reason: "short" } as const };
  assertEquals([touch(given, true).closed, touch(touch(given, true), false).closed, touch(given, true).state.is], [
    true,
    false,
    "new",
  ]);
});

Deno.test("observation() does not believe a close where other machines write", () => {
  const closed = touch(look(undefined, facts(), 0, 0), true);
  const at = { now: 0, wall: 0, costly: false, marker: false };
  assertEquals([observation(closed, { ...at, local: true }).closed, observation(closed, { ...at, local: false }).closed], [
    true,
    false,
  ]);
});

Deno.test("candidates() keeps an event that came before the first look", () => {
  const all = candidates();
  all.touch("a.fits", true);
  assertEquals(all.look(facts(), 0, 0, false).candidate.closed, true);
  all.touch("a.fits", false);
  assertEquals(all.get("a.fits")?.closed, false);
});

Deno.test("candidates() believes a close no longer once the file changed and no event told so", () => {
  const all = candidates();
  const closed = (size: number) => all.look(facts({ size }), 0, 0, false).candidate.closed;
  all.touch("a.fits", true);
  assertEquals([closed(10), closed(10), closed(20)], [true, true, false]);
  all.touch("a.fits", true);
  assertEquals([closed(30), closed(40)], [true, false]);
});

Deno.test("candidates() tells what is due and is not being settled", () => {
  const all = candidates();
  const { candidate } = all.look(facts(), 0, 0, false);
  all.put({ ...candidate, state: { is: "waiting", reason: "short", again: 500 } });
  assertEquals([all.due(499), all.due(500), all.nextDue()], [[], ["a.fits"], 500]);
  assertEquals([all.begin(["a.fits"]), all.begin(["a.fits"]), all.due(500), all.nextDue()], [["a.fits"], [], [], Infinity]);
  all.end("a.fits", 900);
  assertEquals([all.nextDue(), all.idle()], [500, true]);
  all.forget("a.fits");
  all.put(candidate);
  assertEquals(all.waiting(), []);
});

Deno.test("end() of candidates() has a file looked at again that an event told of while it was settled, or was not decided", () => {
  const all = candidates();
  const { candidate } = all.look(facts(), 0, 0, false);
  all.begin(["a.fits"]);
  all.end("a.fits", 700);
  assertEquals(all.nextDue(), 700);
  all.put({ ...candidate, state: { is: "waiting", reason: "short", again: 60_000 } });
  all.begin(["a.fits"]);
  all.touch("a.fits", true);
  all.end("a.fits", 800);
  assertEquals(all.nextDue(), 800);
});

Deno.test("end() of candidates() has a file looked at again that an event told of while it was being looked at", () => {
  for (const known of [true, false]) {
    const all = candidates();
    if (known) all.look(facts(), 0, 0, false);
    const before = all.lastTouch();
    all.touch("a.fits", true);
    const { candidate } = all.look(facts(), 0, 0, false, before);
    all.begin(["a.fits"]);
    all.put({ ...candidate, state: { is: "incomplete", reason: "short" } });
    all.end("a.fits", 800);
    assertEquals(all.nextDue(), 800);
    // The next look begins after the event.
    const { candidate: again } = all.look(facts(), 900, 900, false);
    all.begin(["a.fits"]);
    all.put({ ...again, state: { is: "incomplete", reason: "short" } });
    all.end("a.fits", 900);
    assertEquals(all.nextDue(), Infinity);
  }
});

Deno.test("candidates() keeps nothing that was found of a former version, or from before an event, in the place of a newer one", () => {
  const failure = { code: "source_corrupt", next: "never", message: "DATASUM differs", hint: "" } as const;
  const all = candidates();
  const { candidate: former } = all.look(facts(), 0, 0, false);
  all.look(facts({ size: 20 }), 100, 100, false);
  all.put({ ...former, state: { is: "refused", failure } });
  assertEquals([all.get("a.fits")?.facts.size, all.unsettled()], [20, 1]);
  const { candidate: calm } = all.look(facts({ size: 20 }), 200, 200, false);
  all.touch("a.fits", true);
  all.put({ ...calm, state: { is: "refused", failure } });
  assertEquals([all.get("a.fits")?.closed, all.unsettled()], [true, 1]);
});

Deno.test("waitingOf() shows a refused file with its reason", () => {
  const failure = { code: "bad_name", next: "never", message: "Cannot send it", hint: "Rename it." } as const;
  const shown = waitingOf({ ...look(undefined, facts(), 0, 77), state: { is: "refused", failure } });
  assertEquals(shown, {
    path: "a.fits",
    reason: "refused",
    detail: "Cannot send it",
    hint: "Rename it.",
    size: 10,
    declared: null,
    since: 77,
  });
});

Deno.test("admissionOf() freezes night, target and method for each destination", () => {
  const destinations = [aDestination({ layout: "{night}/{path}" }), aDestination({ name: "two" })];
  const job = aJob("/data", { night: NIGHT, destinations });
  const { admission } = admissionOf(
    job,
    facts({ path: "x/a.fits" }),
    "/data/x/a.fits",
    { OBJECT: "M31" },
    (name) => name === "two" ? "rsync" : null,
  );
  assertEquals(admission.night, "20260101");
  assertEquals(admission.targets, [
    { destination: "nas", target: "20260101/x/a.fits", method: "local" },
    { destination: "two", target: "x/a.fits", method: "rsync" },
  ]);
  assertEquals([admission.source.absolutePath, admission.cards], ["/data/x/a.fits", { OBJECT: "M31" }]);
});

Deno.test("admissionOf() keeps a YYYYMMDD tree as it is", () => {
  const job = aJob("/data", { night: NIGHT, destinations: [aDestination()] });
  const { admission } = admissionOf(job, facts({ path: "20251231/a.fits" }), "", null, () => null);
  assertEquals(admission.targets[0]?.target, "20251231/a.fits");
});

Deno.test("admissionOf() leaves out only the destinations whose layout needs a card that the file does not have", () => {
  const destinations = [
    aDestination({ name: "sorted", layout: "{header.OBJECT}/{header.FILTER|none}/{name}" }),
    aDestination({ name: "plain" }),
  ];
  const job = aJob("/data", { night: NIGHT, destinations });
  const targets = (cards: Record<string, string> | null) => {
    const { admission, refused } = admissionOf(job, facts(), "/data/a.fits", cards, () => null);
    return [...admission.targets.map(({ target }) => target), refused?.code ?? "all"];
  };
  assertEquals(targets({ OBJECT: "NGC 7000/x" }), ["NGC 7000_x/none/a.fits", "a.fits", "all"]);
  assertEquals(targets({ FILTER: "R" }), ["a.fits", "header_missing"]);
  const alone = aJob("/data", { night: NIGHT, destinations: destinations.slice(0, 1) });
  const failure = assertThrows(
    () => admissionOf(alone, facts(), "/data/a.fits", null, () => null),
    Failure,
    "no header card OBJECT",
  );
  assertMatch(failure.hint, /\{header\.OBJECT\|unknown\}/);
});

Deno.test("admissionOf() throws for a name that cannot be a target", () => {
  const job = aJob("/data", { night: NIGHT, destinations: [aDestination()] });
  assertThrows(() => admissionOf(job, facts({ path: "a\uFFFD.fits" }), "", null, () => null), Failure, "UTF-8");
});

Deno.test("recentCloses() carries a close over to the new name", () => {
  const closes = recentCloses();
  closes.note("close", ["/d/tmp"]);
  assertEquals(closes.note("rename", ["/d/tmp", "/d/a.fits"]), "/d/a.fits");
  assertEquals(closes.note("rename", ["/d/tmp", "/d/b.fits"]), null);
});

Deno.test("recentCloses() forgets a close when something is written after it", () => {
  const closes = recentCloses();
  closes.note("close", ["/d/tmp"]);
  closes.note("write", ["/d/tmp"]);
  assertEquals(closes.note("rename", ["/d/tmp", "/d/a.fits"]), null);
});

Deno.test("recentCloses() stays small", () => {
  const closes = recentCloses();
  for (let index = 0; index <= 1_000; index++) closes.note("close", [`/d/${index}`]);
  assertEquals([closes.note("rename", ["/d/0", "/d/x"]), closes.note("rename", ["/d/1000", "/d/y"])], [null, "/d/y"]);
});

const aStretch = (digest: string, folder?: string): Stretch => ({
  digest,
  files: 0,
  goesOn: false,
  ...(folder ? { folder } : {}),
});
const files = (all: number): Found => ({ all, wanted: all, example: "a.fits", aside: 0, asideBytes: 0 });

Deno.test("knownFiles() knows the very stretch of the former scan, until nothing is trusted", () => {
  const known = knownFiles(() => 0.3, 10);
  for (let scan = 0; scan < 2; scan++) {
    assertEquals(known.scanBegins("nothing", false).digests.size, 0);
    assertEquals(known.found(aStretch("2/1/1")), undefined);
    known.note(aStretch("2/1/1"), files(3));
    known.note(aStretch("2/1/2"), null);
  }
  assertEquals([...known.scanBegins("files", false).digests], ["2/1/1"]);
  assertEquals([known.found(aStretch("2/1/1")), known.found(aStretch("2/1/2"))], [files(3), undefined]);
});

Deno.test("knownFiles() asks again about every stretch now and then", () => {
  const known = knownFiles(() => 0.3, 10);
  let asked = 0;
  for (let scan = 0; scan < 40; scan++) {
    known.scanBegins(scan === 0 ? "nothing" : "files", false);
    const found = known.found(aStretch("1/1/1"));
    if (found === undefined) asked++;
    known.note(aStretch("1/1/1"), found ?? files(1));
  }
  assertEquals(asked, 4);
});

/** A walk through a folder of two stretches and one of one stretch, as a Worker does it; tells which of the folders it read. */
function walkKnowing(known: KnownFiles, trust: Trust, isKnown = true): { read: string[]; found: number } {
  const { folders } = known.scanBegins(trust, true);
  const read: string[] = [];
  let found = 0;
  const pass = (stretch: Stretch, all: number) => {
    const its = known.found(stretch) ?? files(all);
    found += its.all;
    known.note(stretch, isKnown ? its : null);
  };
  for (const [folder, parts] of [["folder/a", ["1/1", "1/2"]], ["folder/b", ["1/3"]]] as const) {
    if (folders?.has(folder)) {
      pass(aStretch(folder), NaN);
      continue;
    }
    read.push(folder);
    parts.forEach((part, index) =>
      pass(index === parts.length - 1 ? aStretch(part, folder) : { ...aStretch(part), goesOn: true }, 4)
    );
  }
  return { read, found };
}

Deno.test("knownFiles() leaves out folders of which every file is known, but for some in turn", () => {
  const known = knownFiles(() => 0.3, 1);
  assertEquals(walkKnowing(known, "nothing").read, ["folder/a", "folder/b"]);
  const turns = Array.from({ length: 6 }, () => walkKnowing(known, "folders"));
  assertEquals(turns.map(({ read }) => read.join()), ["folder/a", "folder/b", "folder/a", "folder/b", "folder/a", "folder/b"]);
  assertEquals(turns.map(({ found }) => found), [12, 12, 12, 12, 12, 12]);
});

Deno.test("knownFiles() reads every folder where files must be looked at, and asks the ledger about none of them", () => {
  const known = knownFiles(() => 0.3, 1);
  walkKnowing(known, "nothing");
  for (let scan = 0; scan < 5; scan++) walkKnowing(known, "folders");
  const { digests, folders } = known.scanBegins("files", true);
  assertEquals([[...digests].sort(), folders?.size], [["1/1", "1/2", "1/3"], 0]);
});

Deno.test("knownFiles() leaves out no folder with a file that the ledger does not know", () => {
  const known = knownFiles(() => 0.3, 1);
  walkKnowing(known, "nothing", false);
  assertEquals(walkKnowing(known, "folders", false).read, ["folder/a", "folder/b"]);
  assertEquals(walkKnowing(known, "folders").read, ["folder/a", "folder/b"]);
  assertEquals(walkKnowing(known, "folders").read, ["folder/a"]);
});

Deno.test("isRemoteKind() tells network file systems from local ones", () => {
  const answers = ["nfs4", "CIFS", "fuse.sshfs", "fuseblk", "ext4", "overlay", "tmpfs", ""].map(isRemoteKind);
  assertEquals(answers, [true, true, true, false, false, false, false, false]);
});

Deno.test("isRemoteFolder() knows UNC paths on Windows", async () => {
  const windows = onWindows(asGiven);
  const paths = ["\\\\nas\\images", "//nas/images", "C:\\images", "\\\\?\\C:\\images", "\\\\?\\UNC\\nas\\images"];
  const answers = await Promise.all(paths.map((path) => isRemoteFolder(path, windows)));
  assertEquals(answers, [true, true, false, false, true]);
});

Deno.test("isRemoteFolder() knows a drive letter, or a link, that stands for a share on Windows", async () => {
  const real: Record<string, string | null> = {
    "Z:\\images": "\\\\nas\\images",
    "Y:\\images": "\\\\?\\UNC\\nas\\images",
    "S:\\images": "C:\\Users\\observer\\images",
    "M:\\images": null,
  };
  const windows = onWindows((path) => Promise.resolve(real[path] ?? null));
  const answers = await Promise.all(Object.keys(real).map((path) => remotenessOf(path, windows)));
  assertEquals(answers, ["remote", "remote", "local", "unknown"]);
});

Deno.test("isRemoteFolder() takes a drive of Windows that does not answer for a remote one", async () => {
  const clock = createFakeClock();
  const answer = isRemoteFolder("Z:\\images", { ...onWindows(() => new Promise(() => {})), ...clock });
  await clock.advance(6_000);
  assertEquals(await answer, true);
});

function onWindows(realPath: System["realPath"]) {
  const run = () => Promise.reject(new Error("not here"));
  return { ...createFakeClock(), platform: "windows" as const, run, realPath };
}

Deno.test("foldersTell() trusts the folders of well-known local disks alone", async () => {
  const told = (kind: string, code = 0, platform: System["platform"] = "linux") =>
    foldersTell("/data", {
      platform,
      run: () => Promise.resolve({ code, stdout: kind, stderr: "", signal: null }),
      sleep: (ms, signal) => createFakeClock().sleep(ms, signal),
      realPath: (path) => Promise.resolve(path),
    });
  assertEquals(await Promise.all(["ext4", "xfs", "overlay", "nfs4", "fuseblk", "vfat", ""].map((kind) => told(kind))), [
    ...[true, true],
    ...[false, false, false, false, false],
  ]);
  assertEquals([await told("ext4", 1), await told("ext4", 0, "windows")], [false, false]);
});

Deno.test("isRemoteFolder() takes a file system that does not answer for a remote one", async () => {
  const clock = createFakeClock();
  const answer = isRemoteFolder("/mnt", { ...clock, platform: "linux", run: () => new Promise(() => {}), realPath: asGiven });
  await clock.advance(6_000);
  assertEquals(await answer, true);
});

Deno.test("absolutePathOf() and relativePathOf() are each other's inverse", () => {
  const cases: [string, string, "/" | "\\", string][] = [
    ["/data", "n/a.fits", "/", "/data/n/a.fits"],
    ["/", "a.fits", "/", "/a.fits"],
    ["/data", "back\\slash.fits", "/", "/data/back\\slash.fits"],
    ["C:\\data", "n/a.fits", "\\", "C:\\data\\n\\a.fits"],
    ["C:\\", "a.fits", "\\", "C:\\a.fits"],
  ];
  for (const [root, path, separator, absolute] of cases) {
    assertEquals([absolutePathOf(root, path, separator), relativePathOf(root, absolute, separator)], [absolute, path]);
  }
  assertEquals([relativePathOf("/data", "/database/a", "/"), relativePathOf("/data", "/data", "/")], [null, ""]);
});

Deno.test("isLocal() of writers() believes in a local disk only once told so, and while it is not exported", async () => {
  const clock = createFakeClock();
  const answers = [
    { code: 1, stdout: "", stderr: "Stale file handle" },
    { code: 0, stdout: "ext4", stderr: "" },
    { code: 0, stdout: "/data\n", stderr: "" },
  ];
  let asked = 0;
  let exported = "";
  const made = writers({
    ...clock,
    platform: "linux",
    realPath: asGiven,
    run: () => Promise.resolve({ signal: null, ...answers[asked++]! }),
    readText: () => Promise.resolve(exported),
    seesEveryWriter: () => Promise.resolve(true),
    openForWriting: () => Promise.resolve(new Set<string>()),
  });
  const local = () => made.isLocal(facts(), "/data");
  assertEquals([await local(), await local(), asked], [false, false, 1]);
  await clock.advance(5_000);
  assertEquals([await local(), await local(), asked], [true, true, 2]);
  exported = "/data\t*(rw,sync)\n";
  await clock.advance(5_000);
  assertEquals([await local(), await local(), asked], [false, false, 3]);
});

Deno.test("hasEmptyTail() sees space that was set aside, within what is declared and behind it", async () => {
  const looksSetAside = (declaredBytes: number, ...stretches: [length: number, byte: number][]) => {
    const bytes = new Uint8Array(stretches.flatMap(([length, byte]) => Array<number>(length).fill(byte)));
    const read = (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length));
    return hasEmptyTail(read, bytes.length, { verdict: "reached", declaredBytes });
  };
  assertEquals(await looksSetAside(80_000, [60_000, 1], [20_000, 0]), true);
  assertEquals(await looksSetAside(60_000, [40_000, 1], [40_000, 0]), true);
  assertEquals(await looksSetAside(60_000, [60_000, 1], [2_880, 0]), true);
  assertEquals(await looksSetAside(60_000, [60_000, 1], [100, 0]), false);
  assertEquals(await looksSetAside(60_000, [60_000, 1], [20_000, 2]), false);
  assertEquals(await looksSetAside(0), false);
});

Deno.test("has() of nfsExports() knows folders that other machines may write to, through symlinks too", async () => {
  const etab = "/srv/data\t192.168.0.0/24(rw,sync,wdelay)\n/srv/night\\040sky\t*(sync,rw)\n/srv/shown\t*(ro,sync,no_rw_here)\n";
  const exported = nfsExports({
    ...createFakeClock(),
    platform: "linux",
    readText: () => Promise.resolve(etab),
    run: ({ args = [] }) => {
      const stdout = `${args.at(-1)?.replace("/watched", "/srv/data")}\n`;
      return Promise.resolve({ code: 0, signal: null, stdout, stderr: "" });
    },
  });
  const folders = ["/srv/data", "/srv/data/n", "/watched/n", "/srv/night sky", "/srv/database", "/srv/shown", "/srv"];
  assertEquals(await Promise.all(folders.map(exported.has)), [true, true, true, true, false, false, false]);
});

/** What the ledger remembers over the starts of a job with `newer_than: now`, and what was said. */
function asideBench() {
  const clock = createFakeClock({ startMs: Date.UTC(2026, 10, 25) });
  const said: string[] = [];
  const kept: { memory: AsideMemory | null } = { memory: null };
  const start = (newerThan: NewerThan | null = { since: "first_start", backMs: 0 }) => {
    const aside = leftAside(aJob("/data", { newerThan }), {
      system: clock,
      ledger: { leftAside: () => kept.memory, rememberLeftAside: (_, memory) => void (kept.memory = memory) },
      emit: (event) => void (event.type === "notice" && said.push(`${event.level} ${event.message}`)),
    });
    aside.begin();
    return aside;
  };
  return { clock, said, kept, start };
}

Deno.test("begin() of leftAside() remembers the first start at once, and forgets it without the key", async () => {
  const { clock, kept, start } = asideBench();
  const first = Date.UTC(2026, 10, 25);
  start();
  assertEquals(kept.memory, { firstStart: first, olderThan: first - 60_000, files: null });
  await clock.advance(3_600_000);
  const second = start();
  assertEquals([second.isOld({ mtimeMs: first }), second.isOld({ mtimeMs: first - 60_001 })], [false, true]);
  assertEquals(second.now(), null);
  assertEquals([start(null).isOld({ mtimeMs: 0 }), kept.memory], [false, null]);
  start();
  assertEquals(kept.memory?.firstStart, first + 3_600_000);
});

Deno.test("begin() of leftAside() warns of a date in the future, and the hint says so too", () => {
  const { said, start, clock } = asideBench();
  const olderThan = clock.now() + 86_400_000;
  start({ since: "moment", atMs: olderThan });
  assertEquals(said, [
    "warning Job spring: newer_than is in the future, 2026-11-26 00:00 UTC: new images are left aside, too. Correct the date.",
  ]);
  const { hint } = asideText({ files: 1, bytes: 1, olderThan }, "UTC", clock.now());
  assertEquals(hint, "newer_than is in the future, 2026-11-26 00:00 UTC: new images are left aside, too. Correct the date.");
});

Deno.test("scanned() of leftAside() tells of those that came later, also while nothing ran, and of nothing twice", () => {
  const { said, start } = asideBench();
  start().scanned({ files: 41_200, bytes: 3.1e12 });
  start().scanned({ files: 41_200, bytes: 3.1e12 });
  start().scanned({ files: 41_202, bytes: 3.1e12 });
  start().scanned({ files: 41_201, bytes: 3.1e12 });
  assertEquals(said.length, 2);
  const all =
    /^info Job spring: 41,200 files \(3\.1 TB\) last changed before 2026-11-24 23:59 UTC are left aside \(newer_than\)\. To send them too/;
  assertMatch(said[0]!, all);
  assertMatch(said[1]!, /^warning Job spring: found 2 more older files\. 41,202 files/);
});

Deno.test("wantsScan() of leftAside() counts soon what was heard of, and seldom while more comes", async () => {
  const { clock, start } = asideBench();
  const aside = start();
  const answers = [aside.wantsScan()];
  for (let times = 0; times < 3; times++) {
    aside.heard();
    answers.push(aside.wantsScan());
    await clock.advance(6_000);
  }
  assertEquals([...answers, aside.wantsScan()], [false, true, false, true, false]);
});
