/**
 * A session that states `flushed` flushes, by the system calls of each method: bytes before they are named, and names before
 * they are told; for few files, and for so many that the file system is flushed as a whole; by perl, by sh, by SFTP alone.
 */
import { assert, assertEquals } from "@std/assert";
import { local } from "../../src/methods/local/local.ts";
import type { Method, MethodContext } from "../../src/methods/method.ts";
import { rsync } from "../../src/methods/rsync/rsync.ts";
import { scp } from "../../src/methods/scp/scp.ts";
import { sftp } from "../../src/methods/sftp/sftp.ts";
import { tar } from "../../src/methods/tar/tar.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { aDestination, aServer, ignoreBytes, makeSource, noise, publication, type SshMethod, STAGING, upload } from "./rig.ts";
import { has } from "../support/needs.ts";
import { type SshdOptions, startSshd } from "../support/sshd.ts";
import { durabilityFaults, straceArgs, traceThisProcess } from "../support/syscalls.ts";
import { tempFolder } from "../support/temp.ts";

const signal = new AbortController().signal;

interface Case {
  readonly name: string;
  readonly method: Method<"local" | SshMethod>;
  /** Null for the disks of this computer. */
  readonly sshd: SshdOptions | null;
}

const CASES: readonly Case[] = [
  { name: "local", method: local, sshd: null },
  { name: "rsync", method: rsync, sshd: {} },
  { name: "rsync without perl there", method: rsync, sshd: { without: ["perl"] } },
  { name: "tar", method: tar, sshd: {} },
  { name: "scp", method: scp, sshd: {} },
  { name: "sftp", method: sftp, sshd: {} },
  { name: "sftp without a shell there", method: sftp, sshd: { sftpOnly: true } },
];

for (const { name, method, sshd } of CASES) {
  // Many are flushed in another manner by each method.
  for (const count of [3, name === "local" ? 100 : 30]) {
    Deno.test(`${name}: ${count} files are flushed before they are named, and their names before publish() returns`, {
      ignore: !has("strace", "root") || (sshd !== null && !has("sshd", "rsync")),
    }, async () => {
      await using folder = await tempFolder();
      await using stack = new AsyncDisposableStack();
      const trace = folder.at("trace");
      const server = sshd && stack.use(await startSshd({ ...sshd, through: ["strace", ...straceArgs(trace)] }));
      if (server === null) stack.use(await traceThisProcess(trace));
      const system = server?.configure(createSystem()) ?? createSystem();
      const context: MethodContext = { system, stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
      const base = folder.at("base");
      const destination = server && method.name !== "local"
        ? aServer(method.name, { port: server.port }, { basePath: base })
        : aDestination({ basePath: base });
      const session = stack.use(await method.connect(destination, context, signal));
      await session.attach(true, signal);
      const flushed = session.durability === "flushed";
      assertEquals(flushed, !sshd?.sftpOnly);
      // By SFTP alone it comes with the first file.
      const above = durabilityFaults(await Deno.readTextFile(trace), { base, stagingRoot: STAGING }).wasFlushed("..");
      assertEquals(above, flushed);
      const files = Array.from({ length: count }, (_, index) => `f${index}.fits`);
      const sources = await Promise.all(
        files.map((file, index) => makeSource(folder.at("source"), file, noise(2000, index + 1))),
      );
      const uploads = sources.map((source, index) => upload(source, index));
      await session.put(uploads, ignoreBytes, signal);
      const items = uploads.map(({ staged }, index) => publication(staged, `new/night/${files[index]}`));
      assertEquals((await session.publish(items, signal)).filter(({ published }) => !published), []);
      // As it is now: what comes later comes too late.
      const seen = await Deno.readTextFile(trace);
      const { faults, names } = durabilityFaults(seen, { base, stagingRoot: STAGING, foldersByLaterFile: !flushed });
      assertEquals([faults, names], [[], count]);
      // What is found there is flushed with the folders above it.
      const before = seen.length;
      await session.flush(items.map(({ target }) => target), signal);
      const later = (await Deno.readTextFile(trace)).slice(before);
      const { wasFlushed } = durabilityFaults(later, { base, stagingRoot: STAGING });
      const folders = flushed ? ["new/night", "new", "."] : [`${STAGING}/adopted.flush`];
      const expected = [...items.map(({ target }) => target), ...folders];
      assertEquals(expected.filter((path) => !wasFlushed(path)), []);
      assert(later !== "");
    });
  }
}
