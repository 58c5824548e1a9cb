import { assert, assertEquals } from "@std/assert";
import { SftpChannels } from "../../../src/methods/sftp/sftp_channels.ts";
import { openSftp } from "../../../src/methods/sftp/sftp_connection.ts";
import { sftpNames } from "../../../src/methods/sftp/sftp_files.ts";
import { takeTurn } from "../../../src/methods/turn.ts";
import { STATUS } from "../../../src/methods/sftp/sftp_protocol.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aLine, aServer, STAGING } from "../../conformance/rig.ts";
import { createFakeClock, type FakeClock } from "../../support/fake_clock.ts";
import { answers, fakeSftp, VERSION } from "../../support/fake_sftp.ts";

const signal = new AbortController().signal;
const LOCK = "/base/.image-transfer-turn";

/** A server that knows folders only, and the locks of several installations there. */
async function server(clock: FakeClock, folders: Set<string>, timeoutMs: number) {
  const system = { ...createSystem(), ...clock };
  const below = (path: string) => [...folders].filter((folder) => folder.startsWith(`${path}/`));
  let unread: string[] = [];
  const works = (what: string, path: string) => {
    const can = what === "MKDIR" ? !folders.has(path) : folders.has(path) && below(path).length === 0;
    if (can) what === "MKDIR" ? folders.add(path) : folders.delete(path);
    return can;
  };
  const { spawn } = fakeSftp(VERSION(), ([what = "", path = ""]) => {
    if (what === "LSTAT") return folders.has(path) ? answers.attributes(0o40755) : answers.status(STATUS.NO_SUCH_FILE);
    if (what === "OPENDIR") {
      unread = below(path).map((folder) => folder.slice(path.length + 1));
      return answers.handle("h");
    }
    if (what === "READDIR") {
      const names = unread.splice(0).map((name) => [name, 0o40755] as const);
      return names.length > 0 ? answers.names(...names) : answers.status(STATUS.EOF);
    }
    return what === "CLOSE" || works(what, path) ? answers.ok : answers.status(STATUS.FAILURE);
  });
  const connection = await openSftp(
    "ssh",
    { destination: aServer("sftp", {}, {}), configFile: null },
    null,
    { ...system, spawn },
    signal,
  );
  const base = {
    calls: connection.calls,
    channels: new SftpChannels(aLine(0), connection, () => Promise.reject(new Error("no more"))),
    destination: aServer("sftp", {}, { timeoutMs }),
    context: { system, stagingRoot: STAGING, workFolder: "/work", log: () => {} },
    folder: "/base",
    where: "there",
    staging: null,
  };
  return async (signal: AbortSignal, work: () => Promise<unknown>) => {
    await using _turn = await takeTurn(sftpNames(base, () => Promise.resolve([])), [], signal);
    return await work();
  };
}

Deno.test("a lock by SFTP is not taken from who has it, however long the work takes", async () => {
  const clock = createFakeClock();
  const folders = new Set<string>();
  const told: string[] = [];
  const work = (name: string, ms: number) => async () => {
    told.push(`${name} begins`);
    await clock.sleep(ms);
    told.push(`${name} ends`);
  };
  const first = (await server(clock, folders, 8_000))(signal, work("first", 12_000));
  await clock.advance(1);
  const second = (await server(clock, folders, 8_000))(signal, work("second", 10));
  await clock.advance(12_500);
  await Promise.all([first, second]);
  assertEquals(told, ["first begins", "first ends", "second begins", "second ends"]);
  assertEquals([...folders], []);
});

Deno.test("a lock by SFTP that was left behind is broken, before who waits for it runs into its time-out", async () => {
  for (const left of [[LOCK], [LOCK, `${LOCK}/17`]]) {
    const clock = createFakeClock();
    const folders = new Set(left);
    let worked = false;
    const locked = (await server(clock, folders, 6_000))(signal, () => Promise.resolve(worked = true));
    await clock.advance(5_500);
    assert(worked, "in time");
    await locked;
    assertEquals([...folders], []);
  }
});
