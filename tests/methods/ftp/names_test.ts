import { assert, assertEquals } from "@std/assert";
import { ftp } from "../../../src/methods/ftp/ftp.ts";
import type { PublishOutcome, Session } from "../../../src/methods/method.ts";
import { inTrash, TRASH } from "../../../src/methods/removal.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { anFtpServer } from "../../conformance/over_ftpd.ts";
import { aDestination, ignoreBytes, makeSource, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { startFtpd } from "../../support/ftpd.ts";
import { startLyingFtpd } from "../../support/lying_ftpd.ts";
import { needs } from "../../support/needs.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

const SIGNAL = new AbortController().signal;
type FtpDestination = Parameters<typeof ftp.connect>[0];

/** Names for a batch: one is hidden, one has letters that not all servers list. */
const NAMES = [...Array.from({ length: 18 }, (_, index) => `m ${index}.fits`), ".hidden.fits", "Größe.fits"];

async function connected(destination: FtpDestination, folder: TempFolder, attaches = true): Promise<Session> {
  const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
  const session = await ftp.connect(destination, context, SIGNAL);
  if (attaches) await session.attach(true, SIGNAL);
  return session;
}

/** Puts a file for each of the names and publishes them in this folder. */
async function deliver(session: Session, folder: TempFolder, into: string, batch: number): Promise<PublishOutcome[]> {
  assertEquals(
    await session.survey(NAMES.slice(0, 17).map((name) => `${into}/${name}`), SIGNAL),
    NAMES.slice(0, 17).map(() => null),
  );
  const sources = NAMES.map((_, index) => makeSource(folder.at("source"), `${batch}-${index}`, noise(100 + index, batch)));
  const uploads = (await Promise.all(sources)).map((source, index) => upload(source, index, `a${batch}`));
  await session.put(uploads, ignoreBytes, SIGNAL);
  return await session.publish(uploads.map(({ staged }, index) => publication(staged, `${into}/${NAMES[index]}`)), SIGNAL);
}

for (const kind of ["vsftpd", "pure-ftpd", "proftpd"] as const) {
  Deno.test(`ftp gives many names in a new folder of ${kind} with two commands for each`, needs("vsftpd", "ftpds"), async () => {
    await using folder = await tempFolder();
    await using server = await startFtpd({ kind });
    await using session = await connected(
      anFtpServer(server, undefined, { basePath: folder.at("base") }) as FtpDestination,
      folder,
    );
    assertEquals(await deliver(session, folder, "night/light", 1), NAMES.map(() => ({ published: true })));
    for (const [index, name] of NAMES.entries()) {
      assertEquals(await Deno.readFile(folder.at("base", "night", "light", name)), noise(100 + index, 1));
    }
    if (kind !== "vsftpd") return;
    const asked = (await server.log()).match(/FTP command: .*"RNFR .*night\/light\//g) ?? [];
    assert(asked.length <= 2, asked.join("\n"));
  });

  Deno.test(
    `ftp looks at each of many names in a folder of ${kind} that another program has made meanwhile`,
    needs("vsftpd", "ftpds"),
    async () => {
      await using folder = await tempFolder();
      await using server = await startFtpd({ kind });
      await using session = await connected(
        anFtpServer(server, undefined, { basePath: folder.at("base") }) as FtpDestination,
        folder,
      );
      const survey = session.survey;
      const meanwhile = async (...call: Parameters<typeof survey>) => {
        const found = await survey(...call);
        await folder.write("base/night/m 3.fits", "another one's");
        return found;
      };
      const outcomes = await deliver({ ...session, survey: meanwhile }, folder, "night", 1);
      assertEquals(
        outcomes,
        NAMES.map((name) => ({ published: true, ...(name === "m 3.fits" ? { former: "night/m 3.v1.fits" } : {}) })),
      );
      assertEquals(await folder.read("base/night/m 3.v1.fits"), "another one's");
      assertEquals(await Deno.readFile(folder.at("base", "night", "m 3.fits")), noise(103, 1));
      const later = NAMES.slice(0, 17).map((name) => `night/${name}`);
      assertEquals((await session.survey(later, SIGNAL)).map((stat) => stat?.kind), later.map(() => "file" as const));
    },
  );
}

Deno.test(
  "ftp publishes into a folder that it has seen with two logins, whatever the number of files",
  needs("vsftpd"),
  async () => {
    await using folder = await tempFolder();
    await using server = await startFtpd({ kind: "vsftpd" });
    await using session = await connected(
      anFtpServer(server, undefined, { basePath: folder.at("base") }) as FtpDestination,
      folder,
    );
    const logins = async () => (await server.log()).split("OK LOGIN").length;
    for (const [batch, expected] of [[1, 3], [2, 2]] as const) {
      const sources = NAMES.map((_, index) => makeSource(folder.at("source"), `${batch}-${index}`, noise(100)));
      const uploads = (await Promise.all(sources)).map((source, index) => upload(source, index, `a${batch}`));
      await session.put(uploads, ignoreBytes, SIGNAL);
      const before = await logins();
      const items = uploads.map(({ staged }, index) => publication(staged, `night/${batch}-${index}.fits`));
      assertEquals((await session.publish(items, SIGNAL)).map(({ published }) => published), items.map(() => true));
      assertEquals(await logins() - before, expected);
    }
  },
);

for (const kind of ["vsftpd", "pure-ftpd", "proftpd"] as const) {
  Deno.test(`ftp sees many names in the root of ${kind}`, needs("vsftpd", "ftpds"), async () => {
    await using folder = await tempFolder();
    await using server = await startFtpd({ kind });
    await using session = await connected(anFtpServer(server, undefined, { basePath: "/" }) as FtpDestination, folder, false);
    const names = [...Array.from({ length: 16 }, () => crypto.randomUUID()), "tmp"];
    assertEquals((await session.survey(names, SIGNAL)).map((stat) => stat?.kind ?? null), [...Array(16).fill(null), "folder"]);
  });
}

Deno.test(
  "ftp with a server that says that it has renamed many files, and has not: nothing counts as published",
  needs("vsftpd"),
  async () => {
    await using folder = await tempFolder();
    await using server = startLyingFtpd({ renamesNothing: true });
    const login = { host: "127.0.0.1", port: server.port, user: null, password: null, passwordFile: null };
    const destination = { ...aDestination({ basePath: folder.at("base") }), transport: { method: "ftp" as const, ...login } };
    await using session = await connected(destination, folder);
    const outcomes = await deliver(session, folder, "night", 1);
    assertEquals(outcomes.map(({ published }) => published), NAMES.map(() => false));
  },
);

Deno.test("ftp moves and removes nothing through a link in the place of the trash", needs("vsftpd"), async () => {
  await using folder = await tempFolder();
  await using server = await startFtpd({ kind: "vsftpd" });
  await using session = await connected(
    anFtpServer(server, undefined, { basePath: folder.at("base") }) as FtpDestination,
    folder,
  );
  await folder.write("base/a.fits", "mine");
  await folder.write("home/t1/a.fits", "theirs");
  await Deno.symlink(folder.at("home"), folder.at("base", TRASH));
  const removal = { path: "a.fits", bytes: 4, to: inTrash("t2", "a.fits") };
  await rejectsWith(() => session.remove([removal], SIGNAL), ["staging_unsafe"]);
  await rejectsWith(() => session.emptyTrash([`${TRASH}/t1`], SIGNAL), ["staging_unsafe"]);
  assertEquals([await folder.read("base/a.fits"), await folder.read("home/t1/a.fits")], ["mine", "theirs"]);
});
