/** `verify` of a ledger filled by hand and a local destination, through the command line. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { deliver } from "../../src/domain/delivery.ts";
import { Failure } from "../../src/domain/failure.ts";
import { verify as prove } from "../../src/domain/receipt.ts";
import { openLedger, readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import type { System } from "../../src/system/system.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { anAdmission, broken, NOW } from "../ledger/makers.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { install } from "../support/daemon_process.ts";
import { fakeDaemon } from "../web/fake_daemon.ts";
import { called, springConfig, type TestTools, testTools } from "../support/tools.ts";

const HINT = "image-transfer verify --retry sends them again if their source still exists.\n";

interface Site extends AsyncDisposable {
  readonly dir: TempFolder;
  /** Delivers texts: a file name, or `target<source` where they differ. */
  deliver(night: string, files: Readonly<Record<string, string>>, places?: { job?: string; destination?: string }): Promise<void>;
  verify(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
}

async function site(
  { system = {}, ...changes }: Partial<Omit<TestTools, "system">> & { system?: Partial<System> } = {},
): Promise<Site> {
  const dir = await tempFolder();
  await dir.write("c.yaml", springConfig(dir));
  for (const name of ["state", "freya", "nas"]) await Deno.mkdir(dir.at(name));
  let now = NOW;
  return {
    dir,
    async deliver(night, files, { job = "spring", destination = "freya" } = {}) {
      using ledger = openLedger(dir.at("state"));
      for (const [name, text] of Object.entries(files)) {
        const path = await dir.write(`${destination}/${name}`, text);
        const sent = await createSystem().hash(path, new AbortController().signal);
        now += 1;
        const admission = anAdmission(name, { size: sent.bytes, mtimeMs: now }, [destination], job);
        const [delivery] = ledger.admit([{ ...admission, night }], now);
        ledger.record([deliver(delivery!, prove(sent, sent, "checksum", now))], now);
      }
    },
    async verify(...words) {
      const tools = { ...testTools(dir.path, { system }), ...changes };
      return await called(["verify", ...words, "-c", "c.yaml"], tools);
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

Deno.test("verify calls no file missing where the disk that has them is not mounted", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "a" });
  const device = (of: string) => {
    using ledger = openLedger(it.dir.at("state"));
    ledger.rememberDevice("spring", "freya", of);
  };
  device("the disk");
  assertEquals((await it.verify()).code, 0, "a file that is there shows that it is the disk, whatever its name is now");
  await Deno.remove(it.dir.at("freya/a.fits"));
  const away = await it.verify();
  assertMatch(away.stdout, /^unknown .*is on a different disk than before/);
  assertEquals(away.code, 1);
  using ledger = openLedger(it.dir.at("state"));
  assertEquals(ledger.counts().delivered, 1);
});

Deno.test("verify refuses a destination that there is not, and names the one that was meant", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "a" });
  const failure = await assertRejects(
    () => it.verify("--destination", "fryea"),
    Failure,
    'Unknown destination "fryea"; did you mean "freya"?',
  );
  assertEquals([failure.code, failure.hint], ["configuration", "Known destinations: freya, nas."]);
});

Deno.test("verify says that a destination with deliveries is no longer configured", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "a" });
  await it.deliver("20240517", { "b.fits": "b" }, { destination: "old" });
  const failure = await assertRejects(() => it.verify("--destination", "old"), Failure, "no longer configured");
  assertEquals(failure.code, "configuration");
  const { code, stderr } = await it.verify();
  assertEquals(code, 0);
  assertStringIncludes(stderr, "1 checked, 1 equal, 0 not\n");
  assertStringIncludes(stderr, "Not checked: 1 delivery of the job spring to old, which is no longer configured.\n");
});

Deno.test("verify --night takes a night as report and history do, and last", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "a", "b.fits": "b" });
  await it.deliver("20240518", { "c.fits": "c" });
  assertEquals((await it.verify("--night", "20240517")).stderr, "2 checked, 2 equal, 0 not\n");
  assertEquals((await it.verify("--night", "2024-05-17")).stderr, "2 checked, 2 equal, 0 not\n");
  assertEquals((await it.verify("--night", "last")).stderr, "1 checked, 1 equal, 0 not\n");
  for (const word of ["yesterday", "20241301", "2024-02-30", "2024-5-17", ""]) {
    const failure = await assertRejects(() => it.verify("--night", word), Failure, `Invalid night "${word}"`);
    assertEquals(failure.code, "configuration");
  }
});

Deno.test("verify of a night without images says so, names the last one, and exits 0", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "a" });
  const { code, stdout, stderr } = await it.verify("--night", "2026-01-15");
  assertEquals([code, stdout], [0, ""]);
  assertEquals(stderr, "Night 2026-01-15: no images.\nThe last night with images: verify --night 20240517\n");
  assertEquals((await it.verify("--night", "2026-01-15", "--json")).stdout, "[]\n");
});

Deno.test("verify says where nothing is delivered: ever, to a destination, of a night", async () => {
  await using it = await site();
  assertStringIncludes((await it.verify("--night", "last")).stderr, "Nothing has been delivered yet.\n");
  const empty = await it.verify();
  assertEquals(empty.code, 0);
  assertStringIncludes(empty.stderr, "Nothing has been delivered yet.\n");
  await it.deliver("20240517", { "a.fits": "a" });
  assertEquals((await it.verify("--destination", "nas")).stderr, "Nothing has been delivered to nas yet.\n");
  {
    using ledger = openLedger(it.dir.at("state"));
    const [failed] = ledger.admit([{ ...anAdmission("x.fits"), night: "20240519" }], NOW);
    ledger.record([broken(failed!)], NOW);
  }
  const { code, stderr } = await it.verify("--night", "20240519");
  assertEquals(code, 0);
  assertEquals(stderr, "Night 2024-05-19: nothing was delivered. To list its files: history --night 20240519\n");
});

Deno.test("verify holds a name that was delivered several times to its newest bytes, in whichever night", async () => {
  await using it = await site();
  await it.deliver("20240517", { "same.fits": "first", "a.fits": "a" });
  await it.deliver("20240518", { "same.fits": "second" });
  assertEquals((await it.verify()).stderr, "2 checked, 2 equal, 0 not\n");
  // What stands there is of the next night: that is no fault of the first.
  assertEquals((await it.verify("--night", "20240517")).stderr, "1 checked, 1 equal, 0 not\n");
  await Deno.writeTextFile(it.dir.at("freya", "same.fits"), "Second");
  const { code, stdout } = await it.verify("--night", "20240518");
  assertEquals(code, 1);
  assertMatch(stdout, /^differs {2}freya {2}same\.fits: its SHA-256 is [0-9a-f]{64}, but [0-9a-f]{64} was delivered\n$/);
});

Deno.test("verify lists what cannot be asked as unknown, and goes on with the other destinations", async () => {
  await using it = await site();
  await it.deliver("20240517", Object.fromEntries(Array.from({ length: 210 }, (_, k) => [`${k}.fits`, "x"])));
  await it.deliver("20240517", { "n.fits": "n" }, { destination: "nas" });
  await Deno.rename(it.dir.at("freya"), it.dir.at("away"));
  const { code, stdout, stderr } = await it.verify();
  assertEquals([code, stderr], [1, "211 checked, 1 equal, 210 not\n"]);
  assertEquals(stdout.split("\n").filter((line) => /^unknown {2}freya {2}\d+\.fits: Cannot /.test(line)).length, 210);
});

Deno.test("verify shows on a terminal how far it is, and clears that before it prints", async () => {
  const real = createSystem();
  const drawn = Promise.withResolvers<void>();
  let shown = "";
  const stderr = (text: string) => {
    shown += text;
    if (text.includes("0 of 2 checked")) drawn.resolve();
  };
  const system: Partial<System> = {
    isTerminal: (stream) => stream === "stderr",
    columns: () => 80,
    sleep: (ms, signal) => real.sleep(ms === 1_000 ? 1 : ms, signal),
    // The host answers when the line has been seen.
    hash: (...asked) => drawn.promise.then(() => real.hash(...asked)),
  };
  await using it = await site({ stderr, system });
  await it.deliver("20240517", { "a.fits": "a", "b.fits": "b" });
  await it.verify();
  const lines = shown.split("\r\x1b[K");
  assert(lines.includes("freya: 0 of 2 checked"), shown);
  assertEquals(lines.at(-1), "2 checked, 2 equal, 0 not\n");
});

Deno.test("verify that is asked to end says that not all was checked, and exits 1", async () => {
  const ending = new AbortController();
  const real = createSystem();
  const hash: typeof real.hash = (path, signal, onBytes) => {
    ending.abort(new DOMException("asked to end", "AbortError"));
    return real.hash(path, signal, onBytes);
  };
  await using it = await site({ signal: ending.signal, system: { hash } });
  await it.deliver("20240517", { "a.fits": "a", "b.fits": "b" });
  const { code, stdout, stderr } = await it.verify("--json");
  assertEquals([code, stdout], [1, "[]\n"]);
  assertStringIncludes(stderr, "Stopped: not everything was checked.\n");
});

Deno.test("verify --retry sends again what is missing or differs, and says why the rest is not", async () => {
  await using dir = await tempFolder();
  await Deno.mkdir(dir.at("data"));
  const config = { watch_path: dir.at("data"), transfer_method: "local", remote_base_path: dir.at("nas") };
  const quick = { minimum_free_space_gb: 0, copy_safety_margin_gb: 0, min_file_age_seconds: 0.1 };
  const program = await install(dir.path, { ...config, ...quick });
  for (const name of ["fine", "lost", "broken", "gone", "touched"]) await dir.write(`data/${name}.fits`, name);
  assertEquals((await program.command(["run", "--once"])).code, 0);
  await Deno.remove(dir.at("nas/lost.fits"));
  await Deno.writeTextFile(dir.at("nas/broken.fits"), "rotten");
  for (const name of ["gone", "touched"]) await Deno.remove(dir.at(`nas/${name}.fits`));
  await Deno.remove(dir.at("data/gone.fits"));
  await dir.write("data/touched.fits", "written to since");

  const plain = await program.command(["verify"]);
  assertEquals(plain.code, 1);
  assertStringIncludes(plain.stderr, HINT);

  const { code, stdout, stderr } = await program.command(["verify", "--retry"]);
  assertEquals([code, stdout.trim().split("\n").length], [1, 4]);
  assertStringIncludes(
    stderr,
    `Not sent again: local  gone.fits: its source ${dir.at("data", "gone.fits")} no longer exists\n`,
  );
  assertStringIncludes(stderr, `touched.fits: its source ${dir.at("data", "touched.fits")} has changed since\n`);
  assertStringIncludes(stderr, "2 deliveries are queued again; no daemon is running, so they are sent when one starts.\n");
  await program.command(["run", "--once"]);
  assertEquals([await dir.read("nas/lost.fits"), await dir.read("nas/broken.fits")], ["lost", "broken"]);
  // As on_conflict: version always does.
  assertEquals(await dir.read("nas/broken.v1.fits"), "rotten");
});

Deno.test("verify --retry hands what it found to the daemon that runs", async () => {
  // The source as it was admitted.
  const facts = {
    kind: "file",
    size: 1,
    mtimeMs: NOW + 1,
    ctimeMs: 0,
    identity: "2049:6",
    mode: 0,
    bornMs: 0,
    links: 1,
    device: "",
  } as const;
  const real = createSystem();
  const system = { facts: (path: string) => path === "/data/a.fits" ? Promise.resolve(facts) : real.facts(path) };
  await using asked = await site({ system });
  await asked.deliver("20240517", { "a.fits": "a", "b.fits": "b" });
  await Deno.remove(asked.dir.at("freya/a.fits"));
  await using daemon = await fakeDaemon(asked.dir.at("state"));
  const { code, stderr } = await asked.verify("--retry", "--json");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "1 delivery is queued again.\n");
  const reason = "No longer there: verify did not find it";
  assertEquals(daemon.told, [["mark gone", [1], reason], ["send again", [1]]]);
});

Deno.test("verify hints at the command that mends the very files it looked at", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "a" });
  await Deno.remove(it.dir.at("freya/a.fits"));
  const { stderr } = await it.verify("--night", "20240517", "--destination", "freya");
  assertStringIncludes(stderr, "image-transfer verify --night 20240517 --destination freya --retry sends them again");
  const retried = await it.verify("--retry");
  assertStringIncludes(retried.stderr, "Not sent again: freya  a.fits: its source /data/a.fits no longer exists\n");
  assertStringIncludes(retried.stderr, "0 deliveries are queued again.\n");
});

Deno.test({
  name: "verify reads the ledger by pages and prints as it goes: the same lines and JSON for any number",
  // The Worker that looks at many files at once rests a while before it ends: last, so that no other test sees that.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const pages: string[] = [];
    await using it = await site({ stdout: (text) => pages.push(text) > 0 });
    const files = Object.fromEntries(Array.from({ length: 450 }, (_, k) => [`${k}.fits`, `text ${k}`]));
    await it.deliver("20240517", files);
    await it.deliver("20240517", { "n.fits": "n" }, { destination: "nas" });
    await Deno.remove(it.dir.at("freya", "7.fits"));
    await Deno.remove(it.dir.at("freya", "449.fits"));
    const { code, stderr } = await it.verify();
    assertEquals([code, stderr], [1, `451 checked, 449 equal, 2 not\n${HINT}`]);
    assertEquals(pages, [
      "missing  freya  7.fits: it is no longer there\n",
      "missing  freya  449.fits: it is no longer there\n",
    ]);
    pages.length = 0;
    await it.verify("--json");
    const rows: { target: string; verdict: string }[] = JSON.parse(pages.join(""));
    assertEquals(pages.join(""), `${JSON.stringify(rows, null, 2)}\n`);
    // What is known to be gone comes first.
    assertEquals([rows.length, rows[0]?.target, rows[1]?.target, rows[450]?.target], [451, "7.fits", "449.fits", "n.fits"]);
    assertEquals(rows.map(({ verdict }) => verdict).indexOf("equal"), 2);
    assert(pages.length > 3, "printed in one piece");
  },
});

Deno.test("verify lists what is missing as gone from then on, in history, status and report, until it is sent again", async () => {
  await using it = await site();
  await it.deliver("20240517", { "a.fits": "alpha", "b.fits": "beta" });
  await Deno.remove(it.dir.at("freya/b.fits"));
  assertEquals((await it.verify()).code, 1);
  using ledger = readLedger(it.dir.at("state"));
  const [gone] = ledger.query({ gone: true });
  assertEquals([gone?.delivery.target, ledger.counts().delivered], ["b.fits", 1]);
  const again = await it.verify();
  assertEquals(again.code, 1);
  assertMatch(
    again.stdout,
    /^missing +freya {2}b\.fits: No longer there: verify did not find it\. It was delivered on /,
  );
});
