/**
 * What a person reads when a login does not work, as a real OpenSSH causes it: the account, the key file, the host key's
 * file and the seconds are named.
 */
import { assertEquals, assertMatch, assertNotMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure, isOutage } from "../../../src/domain/failure.ts";
import type { Method, Session } from "../../../src/methods/method.ts";
import { rsync } from "../../../src/methods/rsync/rsync.ts";
import { sftp } from "../../../src/methods/sftp/sftp.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { auto } from "../../../src/methods/auto.ts";
import {
  aServer,
  ignoreBytes,
  type LoginDifferences,
  makeSource,
  noise,
  publication,
  STAGING,
  upload,
} from "../../conformance/rig.ts";
import { has } from "../../support/needs.ts";
import { type Sshd, type SshdOptions, startSshd } from "../../support/sshd.ts";
import { startProxy } from "../../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;

interface Place {
  readonly server: Sshd;
  readonly folder: TempFolder;
  connect(login?: LoginDifferences, timeoutMs?: number): ReturnType<Method["connect"]>;
  /** The failure of a connection that must not succeed. */
  refused(login?: LoginDifferences, timeoutMs?: number): Promise<Failure>;
}

/** A method over ssh, or `auto`, which has no name. */
type Tried = Pick<Method<"auto" | "rsync" | "sftp">, "connect"> & { readonly name?: "rsync" | "sftp" };

/** Text of a start-up file of the login shell; `{file}` in the options is its path. */
const NOISE = 'echo "Welcome to nas"\n';

function withServer(
  name: string,
  method: Tried,
  options: SshdOptions,
  run: (place: Place) => Promise<void>,
) {
  Deno.test({
    name,
    ignore: !has("sshd", "rsync"),
    fn: async () => {
      await using folder = await tempFolder("/tmp");
      const startUpFile = await folder.write("profile of bash", NOISE);
      const config = options.config?.map((line) => line.replace("{file}", startUpFile));
      await using server = await startSshd({ ...options, ...(config ? { config } : {}) });
      const system = { ...server.configure(createSystem()), runtimeFolder: () => Promise.resolve(folder.path) };
      const context = { system, stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
      const connect = (login: LoginDifferences = {}, timeoutMs = 5000) =>
        method.connect(
          aServer(method.name ?? "auto", { port: server.port, ...login }, { basePath: folder.at("base"), timeoutMs }),
          context,
          signal,
        );
      const refused = async (login?: LoginDifferences, timeoutMs?: number) =>
        await assertRejects(async () => await (await connect(login, timeoutMs))[Symbol.asyncDispose](), Failure);
      await run({ server, folder, connect, refused });
    },
  });
}

withServer("connect() names the account that was refused, and asks for remote_user", rsync, {}, async ({ refused }) => {
  const failure = await refused({ user: "nosuch" });
  assertEquals(failure.code, "login_refused");
  assertStringIncludes(failure.message, "login as nosuch was refused");
  assertMatch(failure.hint, /^Check remote_user/);
});

withServer("connect() names the account that ssh chose by itself", rsync, {}, async ({ server, refused }) => {
  await server.revokeKey();
  assertStringIncludes((await refused()).message, `login as ${server.user} was refused`);
});

withServer("connect() names the key file that others may read", rsync, {}, async ({ server, refused }) => {
  await Deno.chmod(server.identityFile, 0o644);
  const failure = await refused();
  assertEquals(failure.code, "login_refused");
  assertStringIncludes(failure.message, `"${server.identityFile}"`);
  assertStringIncludes(failure.hint, `chmod 600 ${server.identityFile}`);
});

withServer(
  "connect() quotes ssh's own remedy for a changed host key, with file and port",
  rsync,
  {},
  async ({ server, refused }) => {
    await server.changeHostKey();
    const failure = await refused();
    assertEquals(failure.code, "host_key_changed");
    assertStringIncludes(failure.hint, `ssh-keygen -f "${server.knownHosts}" -R "[127.0.0.1]:${server.port}"`);
  },
);

withServer("connect() says how long a port that is no ssh server was waited for", rsync, {}, async ({ refused }) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) silent.push(connection);
  })();
  const failure = await refused({ port: listener.addr.port }, 2000);
  assertEquals(failure.code, "unreachable");
  assertStringIncludes(failure.message, "did not respond within 2 s");
  assertMatch(failure.hint, /remote_port/);
  listener.close();
  await accepting.catch(() => undefined);
  silent.forEach((connection) => connection.close());
});

withServer(
  "a cut sftp connection is not explained with our own marker",
  sftp,
  { sftpOnly: true },
  async ({ server, connect }) => {
    await using proxy = startProxy(server.port);
    await using session = await connect({ port: proxy.port });
    await session.attach(true, signal);
    proxy.cut();
    const failure = await assertRejects(() => session.survey(["a", "b"], signal), Failure);
    assertEquals(failure.code, "interrupted");
    assertNotMatch(failure.message, /change local directory|-\d+"/);
  },
);

/** As if ~/.bashrc printed: bash reads this file for every command that comes through ssh. SFTP is served without a shell. */
const NOISY: SshdOptions = { config: ['SetEnv SHLVL=1 "BASH_ENV={file}"'] };

async function deliver({ folder }: Place, session: Session): Promise<void> {
  await session.attach(true, signal);
  const file = await makeSource(folder.at("source"), "a.fits", noise(1000));
  assertEquals((await session.put([upload(file, 1)], ignoreBytes, signal)).map(({ put }) => put), [true]);
  assertEquals(await session.publish([publication(upload(file, 1).staged, "a.fits")], signal), [{ published: true }]);
}

withServer(
  "rsync.connect() explains a noisy login shell: what it prints, which file does, and how to mend it",
  rsync,
  NOISY,
  async ({ refused, folder }) => {
    const failure = await refused();
    assertEquals([failure.code, failure.next], ["tool_missing", "hold"]);
    assertStringIncludes(failure.message, 'prints "Welcome to nas"');
    assertStringIncludes(failure.hint, `"${folder.at("profile of bash")}"`);
    assertStringIncludes(failure.hint, "[ -t 1 ] &&");
  },
);

withServer("auto falls back from rsync to tar where the login shell is noisy", auto, NOISY, async (place) => {
  await using session = await place.connect({ rsyncOptions: ["--numeric-ids"] });
  assertEquals(session.method, "tar");
  await deliver(place, session);
});

const NO_RSYNC_AFTER_ALL = '#!/bin/sh\n[ "$1" = --version ] && exec /usr/bin/rsync --version\necho hello\n';
withServer("auto goes on with the next method where one connects but cannot carry", auto, {
  without: ["tar"],
  instead: { rsync: NO_RSYNC_AFTER_ALL },
}, async (place) => {
  await using first = await place.connect();
  assertEquals(first.method, "rsync");
  const failure = await assertRejects(() => deliver(place, first), Failure);
  assertEquals([failure.code, failure.next, isOutage(failure)], ["interrupted", "later", true]);
  assertMatch(failure.message, /next .* sftp/);
  await using second = await place.connect();
  assertEquals(second.method, "sftp");
  await deliver(place, second);
});

for (
  const [without, found] of [[["tail", "head"], ["number", "string"]], [["tail", "head", "df"], ["object", "object"]]] as const
) {
  withServer(`a destination can be used without ${without.join(", ")}`, rsync, { without }, async (place) => {
    await using session = await place.connect();
    const { freeBytes, device } = await session.attach(true, signal);
    assertEquals<string[]>([typeof freeBytes, typeof device], [...found]);
    await deliver(place, session);
  });
}
