import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { openShell } from "../../../src/methods/shell/remote_shell.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

const system = createSystem();
const destination = { name: "nas", timeoutMs: 300_000, transport: { host: "nas", user: null, port: null } };
const signal = new AbortController().signal;
const ignore = Deno.build.os === "windows";
const PATIENCE_MS = 60_000;

function sh(script = "exec sh") {
  return openShell({ program: "/bin/sh", args: ["-c", script] }, destination, system);
}

Deno.test("run() answers one script after the other with output and status", { ignore }, async () => {
  await using shell = await sh();
  assertEquals(await shell.run("echo one", PATIENCE_MS, signal), { status: 0, output: "one\n" });
  assertEquals(await shell.run("printf 'two'; exit 7", PATIENCE_MS, signal), { status: 7, output: "two" });
  assertEquals(await shell.run(":", PATIENCE_MS, signal), { status: 0, output: "" });
  assertEquals(await shell.run("cat; echo end", PATIENCE_MS, signal), { status: 0, output: "end\n" });
});

Deno.test("run() takes nothing for an answer that start-up files print", { ignore }, async () => {
  await using shell = await sh(`echo "Welcome!"; printf 'no line end'; exec sh`);
  assertEquals(await shell.run("echo answer", PATIENCE_MS, signal), { status: 0, output: "answer\n" });
});

Deno.test("run() carries answers of several megabytes", { ignore }, async () => {
  await using shell = await sh();
  const { output } = await shell.run(
    "i=0; while [ $i -lt 40000 ]; do echo 'a line of some length: ünïcödé'; i=$((i+1)); done",
    PATIENCE_MS,
    signal,
  );
  assertEquals(output, "a line of some length: ünïcödé\n".repeat(40000));
});

Deno.test(
  "run() given up leaves the shell busy until the script has ended, and the next answer is the right one",
  { ignore },
  async () => {
    await using shell = await sh();
    const stop = new AbortController();
    const slow = shell.run("sleep 0.2; echo late", PATIENCE_MS, stop.signal);
    stop.abort(new Error("enough"));
    await assertRejects(() => slow, Error, "enough");
    assertEquals(shell.busy, true);
    await new Promise<void>((idle) => shell.onIdle = idle);
    assertEquals(await shell.run("echo next", PATIENCE_MS, signal), { status: 0, output: "next\n" });
  },
);

Deno.test("run() fails when the shell dies, and from then on", { ignore }, async () => {
  await using shell = await sh();
  await shell.run(":", PATIENCE_MS, signal);
  const failure = await assertRejects(() => shell.run("kill -9 $$", PATIENCE_MS, signal), Failure);
  assertEquals(failure.code, "interrupted");
  assertEquals(await assertRejects(() => shell.run(":", PATIENCE_MS, signal), Failure), failure);
});

for (
  const script of [
    "echo This service allows sftp connections only.; exit 1",
    "echo go away; exit 1",
    "exec no-such-program-at-all",
  ]
) {
  Deno.test(`run() says tool_missing where the login gives no shell: ${script}`, { ignore }, async () => {
    await using shell = await sh(script);
    const failure = await assertRejects(() => shell.run(":", PATIENCE_MS, signal), Failure);
    assertEquals(failure.code, "tool_missing");
    assertStringIncludes(failure.hint, "sftp");
  });
}

Deno.test("run() does not take a login that only repeats its input for a shell", { ignore }, async () => {
  const clock = createFakeClock();
  await using shell = await openShell({ program: "/bin/cat", args: [] }, destination, {
    spawn: system.spawn,
    sleep: clock.sleep,
    monotonic: clock.monotonic,
    randomHex: clock.randomHex,
  });
  const answer = shell.run("echo hello", PATIENCE_MS, signal);
  const failed = assertRejects(() => answer, Failure);
  await clock.advance(PATIENCE_MS);
  assertEquals((await failed).code, "timeout");
});
