import { assertEquals, assertStringIncludes } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { has } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";
import { startProgram } from "../start_program.ts";

const system = createSystem();
const never = new AbortController().signal;

Deno.test("onSignal() hears the signals of this system and skips those it does not have", {
  ignore: system.platform === "windows",
}, async () => {
  await using program = await startProgram(["signals"]);
  assertEquals(await program.line(), "ready");
  for (const name of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    program.kill(name);
    assertEquals(await program.line(), name);
  }
  assertEquals(await program.finished, { code: 0, signal: null });
});

Deno.test("onSignal() can be taken back", () => {
  const off = system.onSignal(["SIGHUP", "SIGINT", "SIGUSR1"], () => {});
  off();
  off();
});

/** A service manager in Python, at a path or (with `@`) an abstract address; prints what it is told. */
async function serviceManager(address: string) {
  const script = `import os,socket,sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0', 1)); os.write(1, b'ready')
os.write(1, s.recv(1000))`;
  const child = await system.spawn({ program: "python3", args: ["-c", script, address] }, never);
  const pieces = child.stdout[Symbol.asyncIterator]();
  const next = async () => new TextDecoder().decode((await pieces.next()).value);
  assertEquals(await next(), "ready");
  return { received: next, [Symbol.asyncDispose]: child.end };
}

Deno.test("notifyServiceManager() reaches a service manager, and leaves no socket behind", {
  ignore: system.platform !== "linux",
}, async () => {
  await using dir = await tempFolder();
  await system.makeFolder(dir.at("run"));
  await using manager = await serviceManager(dir.at("notify"));
  const env = { NOTIFY_SOCKET: dir.at("notify"), RUNTIME_DIRECTORY: dir.at("run") };
  await using program = await startProgram(["notify", "READY=1\nSTATUS=ü"], env);
  assertEquals(await program.line(), "true");
  assertEquals(await manager.received(), "READY=1\nSTATUS=ü");
  assertEquals((await system.list(dir.at("run"))).entries, []);
});

Deno.test("notifyServiceManager() says truly whether it reached one at an abstract address", {
  ignore: system.platform !== "linux",
}, async () => {
  const address = `@it-test-${crypto.randomUUID()}`;
  await using manager = await serviceManager(address);
  await using program = await startProgram(["notify", "READY=1"], { NOTIFY_SOCKET: address });
  const reached = await program.line();
  assertEquals(reached === "true" ? await manager.received() : reached, reached === "true" ? "READY=1" : "false");
});

Deno.test("notifyServiceManager() is false where there is none", async () => {
  await using program = await startProgram(["notify", "READY=1"], { NOTIFY_SOCKET: "" });
  assertEquals(await program.line(), "false");
});

Deno.test("exit() leaves no child running", { ignore: system.platform === "windows" }, async () => {
  await using program = await startProgram(["exit"]);
  const pid = await program.line();
  assertEquals((await program.finished).code, 5);
  // It may be dead and not yet buried for a moment.
  for (let look = 0; look < 500 && await isAlive(pid); look++) await system.sleep(10);
  assertEquals(await isAlive(pid), false);
});

Deno.test("crash() ends the process as if it were killed", async () => {
  await using program = await startProgram(["crash"]);
  assertEquals((await program.finished).signal, "SIGKILL");
});

Deno.test("readLine() gives line after line, with either ending, and null at the end", async () => {
  await using program = await startProgram(["echo"]);
  await program.write("one\r\n\nü\nlast");
  await program.closeStdin();
  assertEquals([await program.line(), await program.line(), await program.line(), await program.line()], [
    "<one>",
    "<>",
    "<ü>",
    "<last>",
  ]);
  assertEquals((await program.finished).code, 0);
});

const PROGRAM = [Deno.execPath(), "run", "--no-check", "-A", new URL("../system_program.ts", import.meta.url).pathname] as const;

Deno.test("print() to a reader that went away is no error", async () => {
  const { stdout, stderr } = await system.run(
    { program: "sh", args: ["-c", '"$@" | head -n 1', "sh", ...PROGRAM, "flood"] },
    never,
  );
  assertStringIncludes(stdout, "0123456789");
  assertEquals(stderr, "");
});

Deno.test("isTerminal() and columns() know that pipes are no terminal", async () => {
  const { stdout } = await system.run({ program: PROGRAM[0], args: [...PROGRAM.slice(1), "terminal"] }, never);
  assertEquals(JSON.parse(stdout), [false, false, false, null]);
});

Deno.test({
  name: "isTerminal() and columns() know a terminal",
  ignore: system.platform !== "linux" || !has("terminal"),
  async fn() {
    // Python's pty gives the program a terminal of 77 columns for all three streams.
    const script = `import pty,os,sys,fcntl,termios,struct
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 77, 0, 0))
out = b''
try:
  while True: out += os.read(fd, 4096)
except OSError: pass
sys.stdout.write(out.decode())`;
    const { stdout } = await system.run({ program: "python3", args: ["-c", script, ...PROGRAM, "terminal"] }, never);
    assertStringIncludes(stdout, "[true,true,true,77]");
  },
});

Deno.test(
  "runtimeFolder() is of mode 0700, short, and never someone else's",
  { ignore: system.platform === "windows" },
  async () => {
    await using dir = await tempFolder();
    const ask = async (env: Record<string, string>) => {
      await using program = await startProgram(["runtime"], { RUNTIME_DIRECTORY: "", XDG_RUNTIME_DIR: "", ...env });
      return await program.line();
    };
    assertEquals(await ask({ XDG_RUNTIME_DIR: dir.path }), dir.at("image-transfer"));
    assertEquals((await system.facts(dir.at("image-transfer")))?.mode, 0o700);
    await system.makeFolder(dir.at("service"));
    assertEquals(await ask({ RUNTIME_DIRECTORY: `${dir.at("service")}:/run/other` }), dir.at("service"));
    const usual = `/tmp/it-${Deno.uid()}`;
    // A symlink, a file, a folder that cannot be made, and one too long for a socket are passed over.
    await system.symlink(dir.at("service"), dir.at("link"));
    assertEquals(await ask({ RUNTIME_DIRECTORY: dir.at("link") }), usual);
    assertEquals(await ask({ RUNTIME_DIRECTORY: await dir.write("file", "") }), usual);
    assertEquals(await ask({ XDG_RUNTIME_DIR: dir.at("not", "there") }), usual);
    await system.makeFolder(dir.at("long".repeat(20)));
    assertEquals(await ask({ XDG_RUNTIME_DIR: dir.at("long".repeat(20)) }), usual);
    assertEquals((await system.facts(usual))?.mode, 0o700);
  },
);

async function isAlive(pid: string): Promise<boolean> {
  return (await system.run({ program: "kill", args: ["-0", pid] }, never)).code === 0;
}
