/** `history` from the ledger, through the command line. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { anAdmission, broken, HASH, later, NOW, proven } from "../ledger/makers.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { called, testTools } from "../support/tools.ts";
import { statusReport } from "../../src/reports/overview/status_report.ts";
import { aWaiting, fakeDaemon, STATUS } from "../web/fake_daemon.ts";

const HOSTILE = '=cmd|"x"\n\x1b[31m,\u202e.fits';

const NO_DAEMON = "No daemon is running, so files that are incomplete or would be rejected are not listed.\n";

async function recorded(): Promise<TempFolder> {
  const dir = await tempFolder();
  await dir.write(
    "c.yaml",
    `watch_path: /data\nremote_host: freya\nremote_user: observer\nremote_base_path: /images\nstate_directory: ${
      dir.at("state")
    }\n`,
  );
  using ledger = openLedger(dir.at("state"));
  const [a, b, c, d] = ledger.admit([
    { ...anAdmission("m31.fits", { size: 48_900_000 }), warning: "its DATASUM is\nwrong" },
    { ...anAdmission(HOSTILE), night: "20240518" },
    { ...anAdmission("c.fits"), cards: { OBJECT: "M42", FILTER: "Ha" } },
    anAdmission("d.fits", {}, ["nas"]),
  ], NOW);
  ledger.record(
    [proven(a!), broken(b!), later(c!, NOW + 1), broken(d!, "skipped")],
    NOW + 1000,
    new Map([[a!.id, { at: NOW, sha256: HASH }]]),
  );
  return dir;
}

async function history(dir: TempFolder, ...words: string[]) {
  const tools = testTools(dir.path);
  const words_ = ["history", ...words, "-c", "c.yaml"];
  return await called(words_, tools);
}

Deno.test("history --json has the promised shape", async () => {
  await using dir = await recorded();
  const { code, stdout, stderr } = await history(dir, "--json");
  const rows = JSON.parse(stdout);
  assertEquals([code, stderr, rows.length], [0, "", 4]);
  assertEquals(rows[0], {
    id: 1,
    job: "spring",
    path: "/data/m31.fits",
    size: 48_900_000,
    destination: "freya",
    method: "rsync",
    target: "m31.fits",
    state: "delivered",
    proof: "checksum",
    sha256: HASH,
    attempts: 1,
    queued_at: "2024-05-18T02:00:00.000Z",
    delivered_at: "2024-05-18T02:00:01.000Z",
    error: null,
    warning: "its DATASUM is\nwrong",
  });
  assertEquals([rows[1].path, rows[1].error], [`/data/${HOSTILE}`, {
    code: "bad_name",
    message: 'Cannot send "a.fits" to freya: bad_name',
    hint: "Do something.",
  }]);
  assertEquals([rows[2].state, rows[2].proof, rows[2].error.code], ["deferred", null, "timeout"]);
});

const FILTERS: readonly [string[], number[]][] = [
  [[], [1, 2, 3, 4]],
  [["--failed"], [2]],
  [["--night", "20240518"], [2]],
  [["--night", "2024-05-17"], [1, 3, 4]],
  [["--night", "last"], [2]],
  [["--destination", "nas"], [4]],
  [["--job", "spring"], [1, 2, 3, 4]],
  // Of the configuration, without a delivery so far.
  [["--job", "default"], []],
  [["--search", "M31"], [1]],
  [["--target", "M42"], [3]],
  [["--target", "-"], [1, 2, 4]],
  [["--filter", "Ha", "--target", "M42"], [3]],
  [["--filter", "OIII"], []],
  [["--limit", "2"], [3, 4]],
  [["--limit", "600"], [1, 2, 3, 4]],
];

for (const [words, ids] of FILTERS) {
  Deno.test(`history ${words.join(" ")} shows ${ids.length}`, async () => {
    await using dir = await recorded();
    const { stdout } = await history(dir, ...words, "--json");
    assertEquals(JSON.parse(stdout).map(({ id }: { id: number }) => id), ids);
  });
}

Deno.test("history --csv is RFC 4180, and no cell is a formula", async () => {
  await using dir = await recorded();
  const { stdout } = await history(dir, "--csv");
  const [head, ...lines] = stdout.split("\r\n");
  assertEquals(
    head,
    "id,job,path,size,destination,method,target,state,proof,sha256,attempts,queued_at,delivered_at,error_code,error_message,error_hint,warning",
  );
  assertEquals(lines.length, 5);
  assertEquals(lines.at(-1), "");
  assertStringIncludes(lines[1]!, `"/data/=cmd|""x""\n\x1b[31m,\u202e.fits"`);
  assertStringIncludes(lines[1]!, `"'=cmd|""x""\n`);
  assertStringIncludes(lines[1]!, `"Cannot send ""a.fits"" to freya: bad_name"`);
});

Deno.test("history for people escapes what could move a cursor, and says why", async () => {
  await using dir = await recorded();
  const { stdout } = await history(dir);
  // deno-lint-ignore no-control-regex -- that none is printed is the promise
  assert(!/[\x00-\x09\x0b-\x1f\x7f\u202e]/.test(stdout));
  assertStringIncludes(stdout, '"/data/=cmd|\\"x\\"\\n\\x1b[31m,\\u202e.fits"\n');
  assertStringIncludes(stdout, '\n        Cannot send "a.fits" to freya: bad_name. Do something.\n');
  assertEquals(stdout.split("\n").filter((line) => line.includes("delivered  checksum")).length, 1);
  assertStringIncludes(stdout, "m31.fits\n        Warning: its DATASUM is\\nwrong\n");
});

Deno.test("history says when there is nothing, and refuses what it does not understand", async () => {
  await using dir = await recorded();
  assertEquals((await history(dir, "--search", "nothing")).stderr, "Nothing found.\n");
  assertEquals((await history(dir, "--failed", "--job", "default")).stderr, `Nothing failed.\n${NO_DAEMON}`);
  assertEquals((await history(dir, "--json", "--search", "nothing")).stdout, "[]\n");
  assertEquals((await history(dir, "--json", "--csv")).code, 2);
  assertEquals((await history(dir, "--limit", "0")).code, 2);
  await assertRejects(() => history(dir, "--night", "yesterday"), Failure, 'Invalid night "yesterday"');
});

Deno.test("history refuses a job or destination that there is not, and names the one that was meant", async () => {
  await using dir = await recorded();
  const job = await assertRejects(
    () => history(dir, "--job", "sprnig"),
    Failure,
    'Unknown job "sprnig"; did you mean "spring"?',
  );
  assertEquals([job.code, job.hint], ["configuration", "Known jobs: default, spring."]);
  const place = await assertRejects(() => history(dir, "--destination", "tape"), Failure, 'Unknown destination "tape"');
  assertEquals([place.code, place.hint], ["configuration", "Known destinations: freya, nas."]);
});

Deno.test("history of a night without images says so and names the last one; exit 0", async () => {
  await using dir = await recorded();
  const { code, stdout, stderr } = await history(dir, "--night", "2026-01-15");
  assertEquals([code, stdout], [0, ""]);
  assertEquals(stderr, "Night 2026-01-15: no images.\nThe last night with images: history --night 20240518\n");
  assertEquals((await history(dir, "--night", "2026-01-15", "--json")).stdout, "[]\n");
  assertEquals((await history(dir, "--night", "20240517", "--failed")).stderr, `Nothing failed.\n${NO_DAEMON}`);
});

Deno.test("history --failed names what the daemon did not even take, and tells programs where that is listed", async () => {
  await using dir = await recorded();
  const one = aWaiting("x1.fits", { reason: "refused", size: 5, detail: "it cannot be read: Permission denied" });
  const [spring] = STATUS.jobs;
  const jobs = [{
    ...spring!,
    job: { ...spring!.job, name: "default", watchPath: dir.path },
    waiting: [one, { ...one, path: "x2.fits", reason: "incomplete", detail: "3 of 5 bytes" }],
  }];
  await using _daemon = await fakeDaemon(dir.at("state"), { status: () => statusReport({ ...STATUS, jobs }) });
  const both = await history(dir, "--failed", "--job", "default");
  assertEquals(both.stderr, "2 files are not sent, incomplete or rejected.\n");
  assertStringIncludes(both.stdout, `  NOT SENT (rejected): ${dir.at("x1.fits")}\n      it cannot be read: Permission denied\n`);
  assertStringIncludes(both.stdout, `  NOT SENT (incomplete): ${dir.at("x2.fits")}\n      3 of 5 bytes\n`);
  assertStringIncludes((await history(dir, "--failed")).stdout, "bad_name");
  const some = await history(dir, "--failed", "--search", "X2");
  assertEquals([some.stderr, some.stdout.includes("x1.fits")], ["1 file is not sent, incomplete or rejected.\n", false]);
  const json = await history(dir, "--failed", "--json", "--job", "default");
  assertEquals([json.stdout, json.stderr], [
    "[]\n",
    "2 files are not sent, incomplete or rejected: image-transfer status --json names them.\n",
  ]);
  assertEquals((await history(dir)).stderr, "");
});

Deno.test("history of many thousands is printed in pieces; people see the newest hundred", async () => {
  await using dir = await recorded();
  {
    using ledger = openLedger(dir.at("state"));
    ledger.admit(Array.from({ length: 5_000 }, (_, k) => anAdmission(`many/${k}.fits`)), NOW);
  }
  const rows = JSON.parse((await history(dir, "--json")).stdout);
  assertEquals([rows.length, rows.at(-1).path], [5_004, "/data/many/4999.fits"]);
  const { stdout, stderr } = await history(dir);
  assertEquals(stdout.split("\n").length, 101);
  assertStringIncludes(stderr, "4904 older ones are not shown");
  const some = JSON.parse((await history(dir, "--json", "--limit", "1000")).stdout);
  assertEquals([some.length, some.at(-1).path], [1_000, "/data/many/4999.fits"]);
});

Deno.test("history filters and sorts as the API does", async () => {
  await using dir = await recorded();
  const ids = async (...words: string[]) =>
    JSON.parse((await history(dir, "--json", ...words)).stdout).map(({ id }: { id: number }) => id);
  assertEquals(await ids("--state", "delivered"), [1]);
  assertEquals(await ids("--state", "delivered,deferred"), [1, 3]);
  assertEquals(await ids("--state", "trouble"), await ids("--failed"));
  assertEquals(await ids("--sort", "size"), [2, 3, 4, 1]);
  assertEquals(await ids("--sort", "size", "--order", "desc", "--limit", "2"), [1, 4]);
  assertEquals(await ids("--sort", "size", "--limit", "2", "--offset", "1"), [3, 4]);
  assertEquals(await ids("--order", "desc"), [4, 3, 2, 1]);
  assertEquals(await ids("--limit", "2", "--offset", "1"), [2, 3]);
  assertEquals(await ids("--offset", "3"), [1]);
  assertEquals(await ids("--offset", "9"), []);
  const wrong = await history(dir, "--state", "delivred");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, 'Unknown state "delivred". Did you mean "delivered"?');
  assertEquals((await history(dir, "--state", "failed", "--failed")).code, 2);
});
