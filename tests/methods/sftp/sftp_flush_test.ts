/** What a server without a shell cannot flush: it may be lost in a power cut, though the server shows all of it. */
import { assertEquals } from "@std/assert";
import { sftpChannels } from "../../../src/methods/sftp/sftp_channels.ts";
import { openSftp } from "../../../src/methods/sftp/sftp_connection.ts";
import { sftpFiles } from "../../../src/methods/sftp/sftp_files.ts";
import { sftpParts } from "../../../src/methods/sftp/sftp_parts.ts";
import { STATUS } from "../../../src/methods/sftp/sftp_protocol.ts";
import { sftpPut } from "../../../src/methods/sftp/sftp_put.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aLine, aServer, ignoreBytes, makeSource, noise, STAGING, upload } from "../../conformance/rig.ts";
import { answers, type Asked, fakeSftp, type Told, VERSION } from "../../support/fake_sftp.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;
const FSYNC = "fsync@openssh.com";
const STAGED = `${STAGING}/a1/1`;

/** A session with a server that answers so when a file is to be flushed; handles are paths. */
async function withServer(
  flushed: (path: string) => Told,
  test: (it: { parts: ReturnType<typeof sftpParts>; put: ReturnType<typeof sftpPut>; removed: string[] }) => Promise<void>,
) {
  const removed: string[] = [];
  const tell = ([what, first = ""]: Asked): Told => {
    if (what === "REMOVE") removed.push(first);
    if (what === FSYNC) return flushed(first);
    if (what === "OPEN") return answers.handle(first);
    if (what === "REALPATH") return answers.names(["/base", 0o40755]);
    return /^L?STAT$/.test(what!) ? answers.attributes(first === "/base" ? 0o40755 : 0o100644, 1000) : answers.ok;
  };
  const destination = aServer("sftp", {}, {});
  const system = { ...createSystem(), ...fakeSftp(VERSION(FSYNC), tell) };
  await using connection = await openSftp("ssh", { destination, configFile: null, ciphers: null }, null, system, signal);
  const channels = sftpChannels(aLine(0), connection, () => Promise.reject(new Error("no more")));
  const context = { system, stagingRoot: STAGING, workFolder: "/work", log: () => {} };
  const base = { calls: connection.calls, channels, context, destination, folder: "/base", where: "there" };
  const files = sftpFiles(base);
  await test({ parts: sftpParts(base, files), put: sftpPut({ channels, files, context, destination, flushes: true }), removed });
}

const disk = (path: string) => path.endsWith(".flush") ? answers.ok : answers.status(STATUS.FAILURE, "Failure");
const never = () => answers.status(STATUS.FAILURE, "Failure");

Deno.test("put() by SFTP removes a file that the server could not flush, and does not call it put", async () => {
  await using folder = await tempFolder();
  const one = upload(await makeSource(folder.at("source"), "a", noise(1000)), 1);
  await withServer(disk, async ({ put, removed }) => {
    const outcome = await put([one], ignoreBytes, signal).then(([only]) => only?.put, () => false);
    assertEquals([outcome, removed.includes(`/base/${one.staged}`)], [false, true]);
  });
});

Deno.test("put() by SFTP goes on where the file system of the server cannot flush any file", async () => {
  await using folder = await tempFolder();
  const one = upload(await makeSource(folder.at("source"), "a", noise(1000)), 1);
  await withServer(never, async ({ put, removed }) => {
    assertEquals((await put([one], ignoreBytes, signal)).map(({ put }) => put), [true]);
    assertEquals(removed.includes(`/base/${one.staged}`), false);
  });
});

Deno.test("parts by SFTP: one that the server could not flush is removed, and nobody takes it for whole", async () => {
  await using folder = await tempFolder();
  const source = await makeSource(folder.at("source"), "a", noise(1000));
  await withServer(disk, async ({ parts, removed }) => {
    await rejectsWith(() => parts.flush(STAGED, signal), ["interrupted"]);
    await rejectsWith(() => parts.finish(STAGED, source, signal), ["interrupted"]);
    assertEquals(removed.filter((path) => path === `/base/${STAGED}`).length, 2);
  });
  await withServer(never, async ({ parts, removed }) => {
    await parts.flush(STAGED, signal);
    assertEquals(removed.includes(`/base/${STAGED}`), false);
  });
});
