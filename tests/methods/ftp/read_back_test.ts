import { assertEquals } from "@std/assert";
import { ftp } from "../../../src/methods/ftp/ftp.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aDestination, digestOf, ignoreBytes, makeSource, noise, STAGING, upload } from "../../conformance/rig.ts";
import { type Lies, startLyingFtpd } from "../../support/lying_ftpd.ts";
import { has } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const SIGNAL = new AbortController().signal;
const LENGTHS = [100_000, 0, ...Array.from({ length: 10 }, (_, index) => 3000 + index), 1_500_000];

/** Puts a file of each of {@linkcode LENGTHS}; gives what is told to be there, and what is left on this computer. */
async function putAll(lies: Lies): Promise<{ there: unknown[]; left: string[] }> {
  await using folder = await tempFolder();
  await using server = startLyingFtpd(lies);
  const login = { host: "127.0.0.1", port: server.port, user: null, password: null, passwordFile: null };
  const destination = { ...aDestination({ basePath: folder.at("base") }), transport: { method: "ftp" as const, ...login } };
  const given = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
  await using session = await ftp.connect(destination, given, SIGNAL);
  await session.attach(true, SIGNAL);
  const sources = LENGTHS.map((length, index) => makeSource(folder.at("source"), String(index), noise(length, index)));
  const uploads = (await Promise.all(sources)).map((source, index) => upload(source, index));
  const outcomes = await session.put(uploads, ignoreBytes, SIGNAL);
  const left = (await Array.fromAsync(Deno.readDir(folder.at("work"))).catch(() => [])).map(({ name }) => name);
  return { there: outcomes.map((outcome) => outcome.put && outcome.there), left };
}

/** What a server has that keeps so many bytes of each. */
function kept(most = Infinity): Promise<unknown[]> {
  return Promise.all(LENGTHS.map((length, index) => digestOf(noise(length, index).subarray(0, most))));
}

const ignore = !has("vsftpd");

Deno.test(
  "ftp reads small and large files back, and leaves nothing here",
  { ignore },
  async () => assertEquals(await putAll({}), { there: await kept(), left: [] }),
);

Deno.test(
  "what a server loses of files shows when they are read back",
  { ignore },
  async () => assertEquals(await putAll({ keeps: 2000 }), { there: await kept(2000), left: [] }),
);
