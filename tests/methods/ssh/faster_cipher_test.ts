/**
 * Which cipher carries the contents: AES-128-GCM where both ends have AES instructions and nobody has chosen another one.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Method, MethodContext } from "../../../src/methods/method.ts";
import { rsync } from "../../../src/methods/rsync/rsync.ts";
import { scp } from "../../../src/methods/scp/scp.ts";
import { sftp } from "../../../src/methods/sftp/sftp.ts";
import { tar } from "../../../src/methods/tar/tar.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aServer, ignoreBytes, STAGING, upload } from "../../conformance/rig.ts";
import { has } from "../../support/needs.ts";
import { type SshdOptions, startSshd } from "../../support/sshd.ts";
import { tempFolder } from "../../support/temp.ts";
import { sourceAt } from "../../support/source_at.ts";

const ignore = !has("sshd", "rsync", "aes");
const signal = new AbortController().signal;
const FASTER = "aes128-gcm@openssh.com";
const USUAL = "chacha20-poly1305@openssh.com";
/** Enough for the faster cipher to be worth a login. */
const MUCH = 64 * 1024 * 1024;

async function set(method: Method<"tar" | "rsync" | "sftp" | "scp">, options: SshdOptions = {}, clientConfig = "") {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startSshd({ ...options, config: ["LogLevel DEBUG1", ...options.config ?? []] }));
  await Deno.writeTextFile(server.sshConfig, clientConfig, { append: true });
  const folder = stack.use(await tempFolder());
  const told: string[] = [];
  const log = (_level: string, message: string) => void told.push(message);
  const context: MethodContext = {
    system: server.configure(createSystem()),
    stagingRoot: STAGING,
    workFolder: folder.at("work"),
    log,
  };
  const destination = aServer(method.name, { host: server.host, port: server.port }, { basePath: folder.at("base") });
  const absolutePath = await folder.write("source/large", "");
  await Deno.truncate(absolutePath, MUCH);
  const source = await sourceAt(absolutePath, "large");
  const rest = stack.move();
  return {
    server,
    connect: async () => {
      const session = await method.connect(destination, context, signal);
      await session.attach(true, signal);
      return session;
    },
    send: async (session: Awaited<ReturnType<typeof method.connect>>, number: number) => {
      const [outcome] = await session.put([upload(source, number)], ignoreBytes, signal);
      assertEquals(outcome?.put, true);
    },
    untilTold: async (words: string) => {
      while (!told.some((message) => message.includes(words))) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    /** Of each connection in turn. */
    ciphers: async () => (await server.log()).matchAll(/kex: client->server cipher: (\S+)/g).map(([, name]) => name).toArray(),
    /** The connection that the latest command or subsystem was started in, counted from 0. */
    latest: async () => {
      const log = await server.log();
      const ports = [...log.matchAll(/Accepted publickey .* port (\d+)/g)].map(([, port]) => port);
      const [, port] = [...log.matchAll(/Starting session: .* port (\d+)/g)].at(-1) ?? [];
      return ports.indexOf(port);
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

for (const method of [tar, rsync, sftp, scp]) {
  Deno.test({
    name:
      `${method.name} goes over to a connection with the faster cipher when it has sent much, and later sessions begin with it`,
    ignore,
    async fn() {
      await using it = await set(method);
      {
        await using session = await it.connect();
        await it.send(session, 1);
        await it.untilTold("Opened a connection");
        assertEquals(await it.ciphers(), [USUAL, FASTER]);
        await it.send(session, 2);
        assertEquals(await it.latest(), 1);
        await it.send(session, 3);
        assertEquals(await it.server.logins(), 2);
      }
      await using session = await it.connect();
      await it.send(session, 4);
      assertEquals(await it.ciphers(), [USUAL, FASTER, FASTER]);
    },
  });
}

const REFUSALS: readonly [string, SshdOptions, string, string, string][] = [
  ["an ssh_config that sets Ciphers", {}, "  Ciphers aes256-gcm@openssh.com\n", "an ssh_config sets", "aes256-gcm@openssh.com"],
  ["a far end without AES instructions", { instead: { grep: "#!/bin/sh\nexit 1\n" } }, "", "the other end", USUAL],
];
for (const [what, options, clientConfig, words, cipher] of REFUSALS) {
  Deno.test({
    name: `${what} keeps its cipher: no further login`,
    ignore,
    async fn() {
      await using it = await set(tar, options, clientConfig);
      await using session = await it.connect();
      await it.send(session, 1);
      await it.untilTold(words);
      await it.send(session, 2);
      await using another = await it.connect();
      await it.send(another, 3);
      assertEquals(await it.ciphers(), [cipher, cipher]);
    },
  });
}

Deno.test({
  name: "a server that does not know the faster cipher gets the usual ones",
  ignore,
  async fn() {
    await using it = await set(tar, { config: ["Ciphers aes256-ctr"] });
    await using session = await it.connect();
    await it.send(session, 1);
    await it.untilTold("Opened a connection");
    await it.send(session, 2);
    await using another = await it.connect();
    await it.send(another, 3);
    assertEquals(await it.ciphers(), ["aes256-ctr", "aes256-ctr", "aes256-ctr"]);
  },
});
