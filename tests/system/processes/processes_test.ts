import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { Failure } from "../../../src/domain/failure.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { launchWith } from "../../../src/system/processes/launch.ts";
import { processesWith } from "../../../src/system/processes/processes.ts";
import { startHere } from "../../../src/system/processes/start_here.ts";
import { workerStart } from "../../../src/system/processes/launch.ts";
import type { System } from "../../../src/system/system.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
/** Two programs in a Worker: a third needs another. */
const fromWorkers = workerStart(2);

const never = new AbortController().signal;
const sh = (script: string, ...args: string[]) => ({ program: "sh", args: ["-c", script, "sh", ...args] });

/** Tests both ways to start programs; those from Workers last, for a Worker and its clock outlive a test. */
function test(name: string, act: (system: System) => Promise<void>): void {
  Deno.test(name, () => act({ ...system, ...processesWith(launchWith(startHere)) }));
  const fn = () => act({ ...system, ...processesWith(launchWith(fromWorkers)) });
  last.push({ name: `${name}, from a Worker`, sanitizeOps: false, sanitizeResources: false, fn });
}
const last: Deno.TestDefinition[] = [];

test("run() gives the exit code and both outputs", async (system) => {
  const finished = await system.run(sh("echo out; echo err >&2; exit 7"), never);
  assertEquals(finished, { code: 7, signal: null, stdout: "out\n", stderr: "err\n" });
});

test("spawn() has given all of the standard error when the program is finished", async (system) => {
  const pieces: Uint8Array[] = [];
  const child = await system.spawn(sh("seq 50000 >&2"), never, (piece) => pieces.push(piece));
  assertEquals(await child.finished, { code: 0, signal: null });
  const text = await new Blob(pieces.map((piece) => piece.slice())).text();
  assertEquals([text.length, text.endsWith("\n50000\n")], [288_894, true]);
});

test("run() hands arguments over as they are", async (system) => {
  const hostile = ["-rf", "$(touch x)", "a'b\"c", "new\nline", "ü", ""];
  const { stdout } = await system.run(sh('printf "%s\\0" "$@"', ...hostile), never);
  assertEquals(stdout.split("\0").slice(0, -1), hostile);
});

test("run() feeds a large input while it drains a large output", async (system) => {
  const input = "0123456789abcdef".repeat(64 * 1024);
  const { stdout } = await system.run({ program: "cat", args: [] }, never, input);
  assertEquals(stdout.length, input.length);
});

test("run() cuts each output at 1 MiB and reads on", async (system) => {
  const { code, stdout } = await system.run(sh("head -c 5000000 /dev/zero | tr '\\0' x; exit 3"), never);
  assertEquals([code, stdout.length], [3, 1024 * 1024]);
});

test("run() takes a program that does not read its input", async (system) => {
  assertEquals((await system.run({ program: "true", args: [] }, never, "x".repeat(1_000_000))).code, 0);
});

test("run() sets the folder and adds to the environment", async (system) => {
  await using dir = await tempFolder();
  const { stdout } = await system.run({
    ...sh('pwd; echo $COLOUR; test -n "$PATH" && echo path'),
    cwd: dir.path,
    env: { COLOUR: "red" },
  }, never);
  assertEquals(stdout, `${dir.path}\nred\npath\n`);
});

test("run() tells the signal that ended a program", async (system) => {
  assertEquals((await system.run(sh("kill -9 $$"), never)).signal, "SIGKILL");
});

test("run() ends the program and throws the signal's reason when aborted", async (system) => {
  await using dir = await tempFolder();
  const stop = new AbortController();
  const running = system.run(sh('echo $$ > "$1"; exec sleep 60', dir.at("pid")), stop.signal);
  while (!(await system.facts(dir.at("pid")))?.size) await system.sleep(5);
  stop.abort(new Error("no longer wanted"));
  await assertRejects(() => running, Error, "no longer wanted");
  assertEquals(await isAlive(await dir.read("pid")), false);
  await assertRejects(() => system.run(sh("true"), stop.signal), Error, "no longer wanted");
});

test("run() ends by force what does not want to end", async (system) => {
  await using dir = await tempFolder();
  const stop = new AbortController();
  const running = system.run(sh('trap "" TERM; echo $$ > "$1"; while :; do sleep 0.05; done', dir.at("pid")), stop.signal);
  while (!(await system.facts(dir.at("pid")))?.size) await system.sleep(5);
  stop.abort();
  await assertRejects(() => running);
  assertEquals(await isAlive(await dir.read("pid")), false);
});

test("run() does not wait for what a program leaves in the background with its outputs", async (system) => {
  const began = system.monotonic();
  const { stdout } = await system.run(sh("sleep 30 & echo $!"), never);
  assertLessOrEqual(system.monotonic() - began, 20_000);
  await system.run({ program: "kill", args: [stdout.trim()] }, never);
});

test("run() of a program that is not there is a failure that says what to install", async (system) => {
  for (const program of ["no-such-program", "/no/such/program"]) {
    const failure = await assertRejects(() => system.run({ program, args: [] }, never), Failure);
    assertEquals([failure.code, failure.next], ["tool_missing", "hold"]);
    assert(failure.message.includes(program) && failure.hint.includes("Install"));
  }
});

test("spawn() talks with a program over its pipes", async (system) => {
  await using child = await system.spawn(sh('read line; echo "got $line"; echo trouble >&2; cat'), never);
  const lines = textOf(child.stdout);
  await child.write("one\n");
  assertEquals(await lines.next("\n"), "got one\n");
  await child.write(new TextEncoder().encode("two"));
  await child.closeStdin();
  assertEquals(await lines.rest(), "two");
  assertEquals(await child.finished, { code: 0, signal: null });
  assertEquals(child.stderr(), "trouble\n");
});

test("spawn() drains outputs that nobody reads", async (system) => {
  await using child = await system.spawn(sh("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero | tr '\\0' e >&2"), never);
  assertEquals((await child.finished).code, 0);
  assertEquals(child.stderr(), "e".repeat(64 * 1024));
});

test("spawn() gives a slow reader every byte", async (system) => {
  await using child = await system.spawn(sh("head -c 20000000 /dev/zero"), never);
  let bytes = 0;
  for await (const piece of child.stdout) {
    bytes += piece.length;
    if (bytes % 64 === 0) await system.sleep(0);
  }
  assertEquals(bytes, 20_000_000);
});

test("spawn(): end() ends the program, also when it is called twice or too late", async (system) => {
  const child = await system.spawn({ program: "sleep", args: ["60"] }, never);
  await Promise.all([child.end(), child.end()]);
  assertEquals((await child.finished).signal, "SIGTERM");
  await child.end();
});

test("spawn(): an aborted signal ends the program", async (system) => {
  const stop = new AbortController();
  await using child = await system.spawn({ program: "sleep", args: ["60"] }, stop.signal);
  stop.abort();
  assertEquals((await child.finished).signal, "SIGTERM");
});

test("spawn() holds many programs at a time", async (system) => {
  const children = await Promise.all(Array.from({ length: 7 }, () => system.spawn({ program: "cat", args: [] }, never)));
  for (const [index, child] of children.entries()) {
    await child.write(`${index}`);
    await child.closeStdin();
    assertEquals(await textOf(child.stdout).rest(), `${index}`);
    await child[Symbol.asyncDispose]();
  }
});

test("spawn(): what is written to a program that has ended is refused", async (system) => {
  await using child = await system.spawn({ program: "true", args: [] }, never);
  await child.finished;
  await assertRejects(async () => {
    while (true) await child.write("x".repeat(100_000));
  });
});

test("spawn() gives a child that can be ended while it leaves what was written unread", async (system) => {
  const child = await system.spawn({ program: "sleep", args: ["60"] }, never);
  const written = child.write(new Uint8Array(8 << 20)).then(() => "written", () => "refused");
  const began = performance.now();
  await child.end();
  assertLessOrEqual(performance.now() - began, 30_000);
  assertEquals(await written, "refused");
});

Deno.test("which() finds programs on the PATH and takes absolute paths", async () => {
  const found = await system.which("sh") ?? "";
  assert(found.endsWith("/sh") && found.startsWith("/"));
  assertEquals(await system.which(found), found);
  assertEquals(await system.which("no-such-program"), null);
});

Deno.test("which() takes no relative path, no folder, and nothing that may not be executed", async () => {
  await using dir = await tempFolder();
  const plain = await dir.write("plain", "");
  assertEquals(await system.which("./sh"), null);
  assertEquals(await system.which(dir.path), null);
  assertEquals(await system.which(plain), null);
});

test("run() looks for a program again that is no longer where it was found", async (system) => {
  await using dir = await tempFolder();
  const program = await dir.write("program", "#!/bin/sh\necho here\n");
  await Deno.chmod(program, 0o755);
  assertEquals((await system.run({ program, args: [] }, never)).stdout, "here\n");
  await Deno.remove(program);
  const error = await assertRejects(() => system.run({ program, args: [] }, never), Failure);
  assertEquals(error.code, "tool_missing");
});

Deno.test(
  "run() starts programs in the process group of a service",
  { ignore: Deno.build.os === "windows" },
  async () => assertEquals(await isInGroup([Deno.execPath(), ...PROGRAM]), [true, true]),
);

Deno.test(
  "run() starts a brief program in the process group of a daemon in a terminal, all others in groups of their own",
  needs("terminal"),
  async () => {
    const line = [Deno.execPath(), ...PROGRAM].map((word) => `'${word}'`).join(" ");
    assertEquals(await isInGroup(["script", "--quiet", "--return", "--command", line, "/dev/null"]), [false, true]);
  },
);

const PROGRAM = [
  ...["run", "--no-check", "-A", "--config", fromFileUrl(new URL("../../../deno.json", import.meta.url))],
  ...[fromFileUrl(new URL("../system_program.ts", import.meta.url)), "groups"],
];

/** Whether a program, and one for a short look, is in the process group of what this starts without a terminal. */
async function isInGroup([program = "", ...args]: readonly string[]): Promise<unknown> {
  const command = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" });
  return JSON.parse(new TextDecoder().decode((await command.output()).stdout));
}

last.forEach((each) => Deno.test(each));

async function isAlive(pid: string): Promise<boolean> {
  const { code } = await system.run(sh('kill -0 "$1"', pid.trim()), never);
  return code === 0;
}

/** Reads a stream of bytes as text, up to a mark or to its end. */
function textOf(stream: AsyncIterable<Uint8Array>) {
  const pieces = stream[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let text = "";
  const more = async () => {
    const { value, done } = await pieces.next();
    if (!done) text += decoder.decode(value, { stream: true });
    return !done;
  };
  return {
    async next(mark: string): Promise<string> {
      while (!text.includes(mark) && await more());
      const end = text.indexOf(mark) + mark.length;
      const found = text.slice(0, end);
      text = text.slice(end);
      return found;
    },
    async rest(): Promise<string> {
      while (await more());
      return text;
    },
  };
}
