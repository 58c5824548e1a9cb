/** What a server without a shell cannot flush: it may be lost in a power cut, though the server shows all of it. */
import { assertEquals } from "@std/assert";
import { SftpChannels } from "../../../src/methods/sftp/sftp_channels.ts";
import { openSftp } from "../../../src/methods/sftp/sftp_connection.ts";
import { sftpFiles } from "../../../src/methods/sftp/sftp_files.ts";
import { sftpParts } from "../../../src/methods/sftp/sftp_parts.ts";
import { STATUS } from "../../../src/methods/sftp/sftp_protocol.ts";
import { sftpPut } from "../../../src/methods/sftp/sftp_put.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import type { System } from "../../../src/system/system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aLine, aServer, ignoreBytes, makeSource, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { answers, type Asked, fakeSftp, type Told, VERSION } from "../../support/fake_sftp.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;
const FSYNC = "fsync@openssh.com";
const READING = "reading ";
const STAGED = `${STAGING}/a1/1`;
const SIZE = 1000;
const CONTENT = noise(SIZE);

/** What a test sees of it. */
interface It {
  readonly files: ReturnType<typeof sftpFiles>;
  readonly parts: ReturnType<typeof sftpParts>;
  readonly put: ReturnType<typeof sftpPut>;
  readonly asked: readonly Asked[];
  readonly removed: readonly string[];
}

/** What a server may be like. */
interface Server {
  readonly folders?: readonly string[];
  /** Whose session it is; else of one that does not know yet whether the server flushes. */
  readonly program?: System;
}

/** A session with a server that answers so when a file is to be flushed; handles are paths. All files have `CONTENT`. */
async function withServer(
  flushed: (path: string, isForReading: boolean) => Told,
  test: (it: It) => Promise<void>,
  { folders = [], program = createSystem() }: Server = {},
) {
  const removed: string[] = [];
  const all: Asked[] = [];
  const tell = (asked: Asked, packet: Uint8Array): Told => {
    const [what, first = ""] = asked;
    all.push(asked);
    if (what === "REMOVE") removed.push(first);
    if (what === FSYNC) return flushed(first.replace(READING, ""), first.startsWith(READING));
    if (what === "READ") {
      // Type, id, length and text of the handle, then the upper half of the offset.
      const rest = CONTENT.subarray(new DataView(packet.buffer, packet.byteOffset).getUint32(1 + 4 + 4 + first.length + 4));
      return rest.length === 0 ? answers.status(STATUS.EOF) : answers.data(rest);
    }
    if (what === "OPEN") {
      // Behind type, id, and the length and text of the path; 1 is reading only.
      const flags = new DataView(packet.buffer, packet.byteOffset).getUint32(1 + 4 + 4 + first.length);
      return answers.handle(flags === 1 ? `${READING}${first}` : first);
    }
    if (what === "REALPATH") return answers.names(["/base", 0o40755]);
    return /^L?STAT$/.test(what!)
      ? answers.attributes(
        ["/base", `/base/${STAGING}`, ...folders].includes(first) || first.includes("/check-") ? 0o40755 : 0o100644,
        SIZE,
      )
      : answers.ok;
  };
  const destination = aServer("sftp", {}, { basePath: "/base" });
  const system = Object.assign(program, fakeSftp(VERSION(FSYNC), tell));
  await using connection = await openSftp("ssh", { destination, configFile: null }, null, system, signal);
  const channels = new SftpChannels(aLine(0), connection, () => Promise.reject(new Error("no more")));
  const context = { system, stagingRoot: STAGING, workFolder: "/work", log: () => {} };
  const base = { calls: connection.calls, channels, context, destination, folder: "/base", where: "there", staging: null };
  const files = sftpFiles(base);
  const put = sftpPut({ channels, files, context, destination, flushes: true });
  await test({ files, parts: sftpParts(base, files), put, asked: all, removed });
}

const disk = (path: string) => path.endsWith(".flush") ? answers.ok : answers.status(STATUS.FAILURE, "Failure");
const never = () => answers.status(STATUS.FAILURE, "Failure");

Deno.test("put() by SFTP removes a file that the server could not flush, and does not call it put", async () => {
  await using folder = await tempFolder();
  const one = upload(await makeSource(folder.at("source"), "a", CONTENT), 1);
  await withServer(disk, async ({ put, removed }) => {
    const outcome = await put([one], ignoreBytes, signal).then(([only]) => only?.put, () => false);
    assertEquals([outcome, removed.includes(`/base/${one.staged}`)], [false, true]);
  });
});

Deno.test("put() by SFTP goes on where the file system of the server cannot flush any file", async () => {
  await using folder = await tempFolder();
  const one = upload(await makeSource(folder.at("source"), "a", CONTENT), 1);
  await withServer(never, async ({ put, removed }) => {
    assertEquals((await put([one], ignoreBytes, signal)).map(({ put }) => put), [true]);
    assertEquals(removed.includes(`/base/${one.staged}`), false);
  });
});

Deno.test("parts by SFTP: one that the server could not flush is removed, and nobody takes it for whole", async () => {
  await using folder = await tempFolder();
  const source = await makeSource(folder.at("source"), "a", CONTENT);
  await withServer(disk, async ({ parts, removed }) => {
    await rejectsWith(() => parts.flush(STAGED, signal), ["interrupted"]);
    await rejectsWith(() => parts.finish(STAGED, `${STAGING}/a2/1`, source, signal), ["interrupted"]);
    assertEquals(removed.filter((path) => path === `/base/${STAGED}`).length, 2);
  });
  await withServer(never, async ({ parts, removed }) => {
    await parts.flush(STAGED, signal);
    assertEquals(removed.includes(`/base/${STAGED}`), false);
  });
});

Deno.test("put() by SFTP sends a whole part anew after a connection that was cut while it was flushed", async () => {
  await using folder = await tempFolder();
  const first = upload(await makeSource(folder.at("source"), "a", CONTENT), 1);
  await withServer(() => "end", async ({ put }) => {
    await rejectsWith(() => put([first], ignoreBytes, signal), ["interrupted"]);
  });
  await withServer(() => answers.ok, async ({ put, asked }) => {
    const again = { ...first, staged: `${STAGING}/a2/1`, leftover: first.staged };
    assertEquals((await put([again], ignoreBytes, signal)).map(({ put }) => put), [true]);
    assertEquals(asked.filter(([what]) => what === "WRITE"), [["WRITE", `/base/${again.staged}`]]);
  });
});

Deno.test("put() by SFTP does not resume what was flushed early, while the file grew", async () => {
  await using folder = await tempFolder();
  const first = upload(await makeSource(folder.at("source"), "a", CONTENT), 1);
  let mark = "";
  await withServer(() => answers.ok, async ({ parts, asked }) => {
    await parts.finish(`${STAGING}/early/1`, first.staged, first.source, signal);
    const made = asked.filter(([what]) => what === "MKDIR" || what === "RENAME");
    assertEquals(made.slice(-2).map(([what]) => what), ["MKDIR", "RENAME"]);
    mark = made.at(-2)![1]!;
  });
  const again = { ...first, staged: `${STAGING}/a2/1`, leftover: first.staged };
  await withServer(() => answers.ok, async ({ put, asked, removed }) => {
    await put([again], ignoreBytes, signal);
    assertEquals([removed, asked.some(([what]) => what === "RENAME")], [[`/base/${first.staged}`], false]);
  }, { folders: [mark] });
});

Deno.test("put() by SFTP takes no refused flush for a disk that cannot flush where it has flushed before", async () => {
  await using folder = await tempFolder();
  const [one, two, three] = await Promise.all(
    ["a", "b", "c"].map(async (name, index) => upload(await makeSource(folder.at("source"), name, CONTENT), index)),
  );
  const program = createSystem();
  let isThere = true;
  await withServer(() => isThere ? answers.ok : never(), async ({ put, removed }) => {
    assertEquals((await put([one!], ignoreBytes, signal)).map(({ put }) => put), [true]);
    isThere = false;
    await rejectsWith(() => put([two!], ignoreBytes, signal), ["disk_full"]);
    assertEquals(removed, [`/base/${two!.staged}`]);
  }, { program });
  // The next session is of the same disk.
  await withServer(never, async ({ put, parts, removed }) => {
    await rejectsWith(() => put([three!], ignoreBytes, signal), ["disk_full"]);
    await rejectsWith(() => parts.flush(STAGED, signal), ["interrupted"]);
    assertEquals(removed, [`/base/${three!.staged}`, `/base/${STAGED}`]);
  }, { program });
});

Deno.test("attach() by SFTP finds out whether the server flushes, so that the first refused flush is believed", async () => {
  await using folder = await tempFolder();
  const one = upload(await makeSource(folder.at("source"), "a", CONTENT), 1);
  let isThere = true;
  await withServer(() => isThere ? answers.ok : never(), async ({ files, put }) => {
    await files.attach(false, signal, "probe");
    isThere = false;
    await rejectsWith(() => put([one], ignoreBytes, signal), ["disk_full"]);
  });
});

Deno.test("publish() and flush() by SFTP throw when the small flushed file after them is refused", async () => {
  const item = publication(STAGED, "x.fits", { onConflict: "overwrite" });
  let isThere = true;
  await withServer(() => isThere ? answers.ok : never(), async ({ files }) => {
    assertEquals(await files.publish([item], signal), [{ published: true }]);
    isThere = false;
    await rejectsWith(() => files.publish([item], signal), ["interrupted"]);
    await rejectsWith(() => files.flush([], signal), ["interrupted"]);
  });
  await withServer(never, async ({ files }) => {
    assertEquals(await files.publish([item], signal), [{ published: true }]);
    await files.flush(["x.fits"], signal);
  });
});

Deno.test("flush() by SFTP flushes what was found, and throws where that is refused", async () => {
  const flushedNames = (asked: readonly Asked[]) => asked.filter(([what]) => what === FSYNC).map(([, path]) => path);
  await withServer(() => answers.ok, async ({ files, asked }) => {
    await files.flush(["x.fits", "y.fits"], signal);
    const marker = `/base/${STAGING}/adopted.flush`;
    assertEquals(flushedNames(asked), [`${READING}/base/x.fits`, `${READING}/base/y.fits`, marker]);
  });
  await withServer((path) => path === "/base/y.fits" ? never() : answers.ok, async ({ files }) => {
    await files.flush(["x.fits"], signal);
    await rejectsWith(() => files.flush(["x.fits", "y.fits"], signal), ["interrupted"]);
  });
});

Deno.test("flush() by SFTP goes on where the server flushes only what is open for writing", async () => {
  await withServer((_, isForReading) => isForReading ? never() : answers.ok, async ({ files, removed }) => {
    await files.flush(["x.fits", "y.fits"], signal);
    assertEquals(removed.some((path) => path.endsWith(".fits")), false);
  });
});
