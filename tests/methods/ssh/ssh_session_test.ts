import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { auto } from "../../../src/methods/auto.ts";
import type { Method, MethodContext } from "../../../src/methods/method.ts";
import { rsync } from "../../../src/methods/rsync/rsync.ts";
import { scp } from "../../../src/methods/scp/scp.ts";
import { connectSsh } from "../../../src/methods/ssh/ssh_connection.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aServer, ignoreBytes, STAGING, upload } from "../../conformance/rig.ts";
import { has } from "../../support/needs.ts";
import { sftpServer } from "../../support/replacing_sftp.ts";
import { type Sshd, type SshdOptions, startSshd } from "../../support/sshd.ts";
import { startProxy } from "../../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { sourceAt } from "../../support/source_at.ts";

const signal = new AbortController().signal;
const ignore = !has("sshd", "rsync", "zsh");

function surroundings<M extends "auto" | "rsync" | "tar" | "scp" | "sftp" = "rsync">(
  server: Sshd,
  folder: TempFolder,
  method?: M,
) {
  const system = { ...server.configure(createSystem()), runtimeFolder: () => Promise.resolve(folder.path) };
  const told: string[] = [];
  const context: MethodContext = {
    system,
    stagingRoot: STAGING,
    workFolder: folder.at("work"),
    log: (_, message) => told.push(message),
  };
  const differences = { basePath: folder.at("base"), timeoutMs: 5000 };
  const destination = aServer(method ?? "rsync" as M, { port: server.port }, differences);
  return { context, destination, told };
}

function withServer(name: string, options: SshdOptions, run: (server: Sshd, folder: TempFolder) => Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      await using server = await startSshd(options);
      await using folder = await tempFolder("/tmp");
      await run(server, folder);
    },
  });
}

async function source(folder: TempFolder, text: string) {
  const absolutePath = await folder.write(`source/${text}`, text);
  return await sourceAt(absolutePath, text);
}

withServer("a session logs in once, whatever it does", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder);
  await using session = await rsync.connect(destination, context, signal);
  await session.attach(true, signal);
  const file = await source(folder, "a");
  for (const number of [1, 2, 3]) await session.put([upload(file, number)], ignoreBytes, signal);
  await Promise.all([1, 2, 3].map((number) => session.digest([upload(file, number).staged, "x"], signal)));
  assertEquals(await server.logins(), 1);
});

withServer("a session works where the server allows one channel only", { maxSessions: 1 }, async (server, folder) => {
  const { context, destination } = surroundings(server, folder);
  await using session = await rsync.connect(destination, context, signal);
  await session.attach(true, signal);
  const file = await source(folder, "a");
  assertEquals(await session.put([upload(file, 1)], ignoreBytes, signal), [{ put: true }]);
  const digests = await session.digest([upload(file, 1).staged, "none"], signal);
  assertEquals(digests.map((digest) => digest?.bytes), [1, undefined]);
});

withServer(
  "connect() says tool_missing, and to use sftp, where there is only SFTP",
  { sftpOnly: true },
  async (server, folder) => {
    for (const method of [rsync, scp] as Method<"rsync" | "scp">[]) {
      const { context, destination } = surroundings(server, folder, method.name);
      const failure = await assertRejects(() => method.connect(destination, context, signal), Failure);
      assertEquals(failure.code, "tool_missing");
      assertStringIncludes(failure.hint, "sftp");
    }
  },
);

withServer("auto takes sftp where there is only SFTP", { sftpOnly: true }, async (server, folder) => {
  const { context, destination } = surroundings(server, folder, "auto");
  await using session = await auto.connect(destination, context, signal);
  assertEquals(session.method, "sftp");
});

withServer(
  "auto takes sftp where a start-up file puts zsh in the place of sh",
  { config: [`ForceCommand case "$SSH_ORIGINAL_COMMAND" in internal-sftp) exec ${sftpServer()} ;; esac; exec zsh`] },
  async (server, folder) => {
    const { context, destination } = surroundings(server, folder, "auto");
    await using session = await auto.connect(destination, context, signal);
    assertEquals(session.method, "sftp");
    await session.attach(true, signal);
    const file = await source(folder, "a");
    assertEquals((await session.put([upload(file, 1)], ignoreBytes, signal)).map(({ put }) => put), [true]);
  },
);

for (
  const [where, without, taken, because] of [
    ["the server has a tar", [], "tar", "it is the fastest that both ends can do"],
    ["the server has no tar", ["tar"], "rsync", "it is not installed there"],
    ["the server has neither tar nor rsync", ["tar", "rsync"], "sftp", "it is not installed there"],
  ] as const
) {
  withServer(`auto takes ${taken} where ${where}, and logs why, once`, { without }, async (server, folder) => {
    const { context, destination, told } = surroundings(server, folder, "auto");
    const log: [string, string][] = [];
    const logging = { ...context, log: (level: string, message: string) => void log.push([level, message]) };
    const fresh = { ...destination, name: `${destination.name} ${crypto.randomUUID()}` };
    for (const level of ["info", "debug"]) {
      await using session = await auto.connect(fresh, logging, signal);
      assertEquals(session.method, taken);
      const choices = log.filter(([, message]) => message.startsWith(`transfer_method auto chose ${taken}: `));
      assertEquals(choices.at(-1)?.[0], level);
      assertStringIncludes(choices.at(-1)?.[1] ?? "", because);
    }
    assertEquals(told, []);
  });
}

withServer("auto takes rsync on Windows, where a batch by tar would be a login", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder, "auto");
  const windows = { ...context, system: { ...context.system, platform: "windows" as const } };
  await using session = await auto.connect(destination, windows, signal);
  assertEquals(session.method, "rsync");
});

withServer(
  "auto takes sftp before rsync with a bandwidth limit, which rsync keeps worse",
  { without: ["tar"] },
  async (server, folder) => {
    const { context, destination } = surroundings(server, folder, "auto");
    await using session = await auto.connect({ ...destination, lineLimit: 1e6 }, context, signal);
    assertEquals(session.method, "sftp");
  },
);

withServer("auto takes rsync where rsync_options are set", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder, "auto");
  const transport = { ...destination.transport, rsyncOptions: ["--numeric-ids"] };
  await using session = await auto.connect({ ...destination, transport }, context, signal);
  assertEquals(session.method, "rsync");
});

withServer("a session whose server dies fails at once, and a new one works", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder);
  await using session = await rsync.connect(destination, context, signal);
  await session.attach(true, signal);
  await server.restart();
  const file = await source(folder, "a");
  const failure = await assertRejects(() => session.put([upload(file, 1)], ignoreBytes, signal), Failure);
  assertEquals(failure.next, "later");
  await using next = await rsync.connect(destination, context, signal);
  assertEquals(await next.put([upload(file, 1, "a2")], ignoreBytes, signal), [{ put: true }]);
});

withServer("a server that freezes is noticed, although nothing was cut", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder);
  await using session = await rsync.connect({ ...destination, timeoutMs: 1000 }, context, signal);
  await session.attach(true, signal);
  await server.freeze();
  const failure = await assertRejects(() => session.survey(["a"], signal), Failure);
  assert(["timeout", "interrupted", "unreachable"].includes(failure.code), failure.code);
  await server.thaw();
});

withServer("connect() does not wait for ever for a server that says nothing", {}, async (server, folder) => {
  await using proxy = startProxy(server.port);
  proxy.blackHole();
  const { context, destination } = surroundings(server, folder);
  const silent = { ...destination, transport: { ...destination.transport, port: proxy.port }, timeoutMs: 1000 };
  const failure = await assertRejects(() => rsync.connect(silent, context, signal), Failure);
  assert(["timeout", "unreachable"].includes(failure.code), failure.code);
});

withServer("connect() names a changed host key and a refused login", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder, "scp");
  await server.revokeKey();
  assertEquals((await assertRejects(() => scp.connect(destination, context, signal), Failure)).code, "login_refused");
  await server.changeHostKey();
  assertEquals((await assertRejects(() => scp.connect(destination, context, signal), Failure)).code, "host_key_changed");
});

withServer("a master that a crashed run left is ended by the next session", {}, async (server, folder) => {
  const { context, destination, told } = surroundings(server, folder);
  // What remains of a killed daemon: its ssh goes on, its lock is free, its socket is there.
  const former = await connectSsh(destination, { ...context, system: { ...context.system, lock: unlocked(context) } }, signal);
  assertEquals((await masters(folder)).length, 1);
  await using session = await connectSsh(destination, context, signal);
  assertEquals(told.filter((message) => message.includes("earlier run")).length, 1);
  await assertRejects(() => former.run(":", signal), Failure);
  assertEquals((await session.run("echo here", signal)).output, "here\n");
  await former[Symbol.asyncDispose]();
});

withServer("a session beside another one leaves it alone, and both take their sockets away", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder);
  const one = await connectSsh(destination, context, signal);
  const other = await connectSsh(destination, context, signal);
  assertEquals((await one.run("echo 1", signal)).output, "1\n");
  await one[Symbol.asyncDispose]();
  assertEquals((await other.run("echo 2", signal)).output, "2\n");
  await other[Symbol.asyncDispose]();
  assertEquals(await masters(folder), []);
  const left = await names(folder, /\.lock$/);
  assertEquals(left, []);
});

withServer("scripts take turns: more at once than there are shells", {}, async (server, folder) => {
  const { context, destination } = surroundings(server, folder);
  await using connection = await connectSsh(destination, context, signal);
  const numbers = Array.from({ length: 12 }, (_, number) => number);
  const answers = await Promise.all(numbers.map((number) => connection.run(`sleep 0.02; echo ${number}`, signal)));
  assertEquals(answers.map(({ output }) => Number(output)), numbers);
  const { stdout } = await new Deno.Command("ps", { args: ["-eo", "args="] }).output();
  const shells = new TextDecoder().decode(stdout).split("\n").filter((line) =>
    /^\S*ssh /.test(line) && line.includes(server.sshConfig)
  );
  assert(shells.length <= 3, shells.join("\n"));
});

/** Gives locks that are never really held. */
function unlocked(context: MethodContext) {
  return async (path: string) => {
    await context.system.writeText(path, "");
    return { isInPlace: () => Promise.resolve(true), [Symbol.asyncDispose]: () => Promise.resolve() };
  };
}

function masters(folder: TempFolder): Promise<string[]> {
  return names(folder, /^[0-9a-f]{8}-[0-9a-f]{8}$/);
}

async function names(folder: TempFolder, like: RegExp): Promise<string[]> {
  const found = [];
  for await (const { name } of Deno.readDir(folder.path)) if (like.test(name)) found.push(name);
  return found;
}
