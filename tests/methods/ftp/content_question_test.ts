import { assertEquals } from "@std/assert";
import { makeCopies } from "../../../src/methods/ftp/content_question.ts";
import { ftp } from "../../../src/methods/ftp/ftp.ts";
import type { MethodContext } from "../../../src/methods/method.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aDestination, digestOf, ignoreBytes, makeSource, noise, STAGING, upload } from "../../conformance/rig.ts";
import { type Lies, startLyingFtpd } from "../../support/lying_ftpd.ts";
import { has } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const SIGNAL = new AbortController().signal;
const MEMORY = "/dev/shm";
const LENGTHS = [100_000, 0, ...Array.from({ length: 10 }, (_, index) => 3000 + index), 1_500_000];

/** Puts a file of each of {@linkcode LENGTHS}; gives what is told to be there, and what is left in memory. */
async function putAll(lies: Lies, context: Partial<MethodContext> = {}): Promise<{ there: unknown[]; left: string[] }> {
  await using folder = await tempFolder();
  await using memory = await tempFolder(MEMORY);
  await using server = startLyingFtpd(lies);
  const login = { host: "127.0.0.1", port: server.port, user: null, password: null, passwordFile: null };
  const destination = { ...aDestination({ basePath: folder.at("base") }), transport: { method: "ftp" as const, ...login } };
  const given = { system: createSystem(), stagingRoot: STAGING, workFolder: memory.at("work"), log: () => {}, ...context };
  await using session = await ftp.connect(destination, given, SIGNAL);
  await session.attach(true, SIGNAL);
  const sources = LENGTHS.map((length, index) => makeSource(folder.at("source"), String(index), noise(length, index)));
  const uploads = (await Promise.all(sources)).map((source, index) => upload(source, index));
  const outcomes = await session.put(uploads, ignoreBytes, SIGNAL);
  const left = (await Array.fromAsync(Deno.readDir(memory.at("work"))).catch(() => [])).map(({ name }) => name);
  return { there: outcomes.map((outcome) => outcome.put && outcome.there), left };
}

/** What a server has that keeps so many bytes of each. */
function kept(most = Infinity): Promise<unknown[]> {
  return Promise.all(LENGTHS.map((length, index) => digestOf(noise(length, index).subarray(0, most))));
}

const ignore = !has("vsftpd") || Deno.build.os !== "linux";

Deno.test({
  name: "ftp reads small files back through memory, and leaves nothing there",
  ignore,
  fn: async () => assertEquals(await putAll({}), { there: await kept(), left: [] }),
});

Deno.test({
  name: "what a server loses of small files shows when they are read back through memory",
  ignore,
  fn: async () => assertEquals(await putAll({ keeps: 2000 }), { there: await kept(2000), left: [] }),
});

Deno.test({
  name: "ftp reads files back as well where there is little memory",
  ignore,
  async fn() {
    const system = createSystem();
    const short = { ...system, space: async (path: string) => ({ ...await system.space(path), freeBytes: 1_000_000 }) };
    assertEquals(await putAll({}, { system: short }), { there: await kept(), left: [] });
  },
});

Deno.test("makeCopies() writes nothing to a disk, and no large files", async () => {
  await using disk = await tempFolder("/tmp");
  await using memory = await tempFolder(Deno.build.os === "linux" ? MEMORY : undefined);
  const system = createSystem();
  await using none = await makeCopies({ system, workFolder: disk.path }, LENGTHS, SIGNAL);
  await using some = await makeCopies({ system, workFolder: memory.path }, LENGTHS, SIGNAL);
  const written = LENGTHS.map((_, index) => some.fileOf(index) !== null);
  assertEquals(LENGTHS.map((_, index) => none.fileOf(index)), LENGTHS.map(() => null));
  assertEquals(written, LENGTHS.map((length) => Deno.build.os === "linux" && length < 1_000_000));
});
