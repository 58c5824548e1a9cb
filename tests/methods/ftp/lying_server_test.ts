import { assert, assertEquals } from "@std/assert";
import { ftp } from "../../../src/methods/ftp/ftp.ts";
import { isOutage } from "../../../src/domain/failure.ts";
import type { Session } from "../../../src/methods/method.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aDestination, digestOf, ignoreBytes, makeSource, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { type Lies, type LyingFtpd, MOST_BYTES, startLyingFtpd } from "../../support/lying_ftpd.ts";
import { needs } from "../../support/needs.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

const SIGNAL = new AbortController().signal;

/** A session with such a server. */
function lied(
  name: string,
  lies: Lies,
  test: (session: Session, folder: TempFolder, server: LyingFtpd) => Promise<void>,
  timeoutMs = 20_000,
): void {
  Deno.test(`ftp with a server that ${name}`, needs("vsftpd"), async () => {
    await using folder = await tempFolder();
    await using server = startLyingFtpd(lies);
    const login = { host: "127.0.0.1", port: server.port, user: null, password: null, passwordFile: null };
    const destination = {
      ...aDestination({ basePath: folder.at("base"), timeoutMs }),
      transport: { method: "ftp" as const, ...login },
    };
    const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
    await using session = await ftp.connect(destination, context, SIGNAL);
    await session.attach(true, SIGNAL);
    await test(session, folder, server);
  });
}

async function put(session: Session, folder: TempFolder, content: Uint8Array) {
  return await session.put([upload(await makeSource(folder.at("source"), "a", content), 1)], ignoreBytes, SIGNAL);
}

const CONTENT = noise(200_000);
const STAGED = `${STAGING}/a1/1`;

lied("tells wrong sizes: files are proven by what is read", { sizeOff: -77 }, async (session, folder) => {
  assertEquals(await put(session, folder, CONTENT), [{ put: true, there: await digestOf(CONTENT) }]);
  assertEquals(await session.digest([STAGED], SIGNAL), [await digestOf(CONTENT)]);
});

lied("knows neither SIZE nor FEAT: everything works but sizes", { unknown: ["SIZE", "FEAT"] }, async (session, folder) => {
  assertEquals(await put(session, folder, CONTENT), [{ put: true, there: await digestOf(CONTENT) }]);
  assertEquals(await session.digest([STAGED, `${STAGING}/a1/2`], SIGNAL), [await digestOf(CONTENT), null]);
  assertEquals(await session.publish([publication(STAGED, "n/a")], SIGNAL), [{ published: true }]);
  const [stat] = await session.survey(["n/a"], SIGNAL);
  assertEquals([stat?.kind, stat && stat.bytes < 0], ["file", true]);
  // The same content is no conflict, another one is: sizes that nobody tells are not compared.
  assertEquals(await put(session, folder, noise(200_000, 2)), [{ put: true, there: await digestOf(noise(200_000, 2)) }]);
  assertEquals(await session.publish([publication(STAGED, "n/a")], SIGNAL), [{ published: true, former: "n/a.v1" }]);
  await session.sweep(null, SIGNAL);
  assertEquals((await Array.fromAsync(Deno.readDir(folder.at("base")))).map(({ name }) => name), ["n"]);
});

lied("loses bytes and says that it has them: the digest shows it", { keeps: 100_000 }, async (session, folder) => {
  const kept = await digestOf(CONTENT.subarray(0, 100_000));
  assertEquals(await put(session, folder, CONTENT), [{ put: true, there: kept }]);
  assertEquals(await session.digest([STAGED], SIGNAL), [kept]);
});

lied("cuts the control connection when a file comes: an outage", { cutsAtStor: true }, async (session, folder) => {
  await rejectsWith(() => put(session, folder, CONTENT), ["interrupted"]);
});

lied("says that it has renamed, and has not: nothing counts as published", { renamesNothing: true }, async (session, folder) => {
  await put(session, folder, CONTENT);
  const [outcome] = await session.publish([publication(STAGED, "a")], SIGNAL);
  assert(outcome && !outcome.published, JSON.stringify(outcome));
});

lied(
  "does not allow a folder: its files fail in the server's words, the others go on",
  { forbids: /odd/ },
  async (session, folder) => {
    const targets = ["n/a", "odd \u202e/b", "n/c"];
    const sources = targets.map((_, index) => makeSource(folder.at("source"), `s${index}`, noise(600 + index)));
    const uploads = (await Promise.all(sources)).map((source, index) => upload(source, index));
    await session.put(uploads, ignoreBytes, SIGNAL);
    const outcomes = await session.publish(uploads.map(({ staged }, index) => publication(staged, targets[index]!)), SIGNAL);
    assertEquals(outcomes.map(({ published }) => published), [true, false, true]);
    const failure = outcomes[1]?.published === false ? outcomes[1].failure : null;
    assertEquals([failure?.next, failure && isOutage(failure)], ["later", false]);
    assert(/Cannot create the folder .*refuses it \(550 Invalid folder\)/.test(failure?.message ?? ""), failure?.message);
  },
);

lied(
  "allows no folder below the base path: the destination is held",
  { forbids: /base\/(n|\.image-transfer-turn)$/ },
  async (session, folder) => {
    await put(session, folder, CONTENT);
    const [outcome] = await session.publish([publication(STAGED, "n/a")], SIGNAL);
    assert(outcome?.published === false && outcome.failure.next === "hold", JSON.stringify(outcome));
  },
);

/** It did not come to its end. */
function assertLeft({ sent }: LyingFtpd): void {
  assert(sent > 0, "nothing was endless");
  assert(sent < MOST_BYTES, `${sent} bytes were taken`);
}

for (const files of [1, 12]) {
  lied(
    `sends ${files} small files back without end: each is a mismatch`,
    { endless: "RETR" },
    async (session, folder, server) => {
      const sources = Array.from(
        { length: files },
        (_, index) => makeSource(folder.at("source"), `s${index}`, noise(600 + index)),
      );
      const uploads = (await Promise.all(sources)).map((source, index) => upload(source, index));
      await rejectsWith(() => session.put(uploads, ignoreBytes, SIGNAL), ["mismatch"]);
      assertLeft(server);
      await folder.write(`base/${STAGING}/a2/1`, "a part");
      const source = await makeSource(folder.at("source"), "resumed", noise(900));
      const again = { ...upload(source, 1, "a2"), leftover: `${STAGING}/a2/1` };
      await rejectsWith(() => session.put([again], ignoreBytes, SIGNAL), ["mismatch"]);
      assertLeft(server);
    },
  );
}

lied("lists a folder without end: an outage", { endless: "NLST" }, async (session, folder, server) => {
  await Deno.mkdir(folder.at("base", STAGING));
  await rejectsWith(() => session.leftovers(SIGNAL), ["interrupted"]);
  assertLeft(server);
});

const toLeave: { endless?: "CWD" } = {};
lied("replies without end: an outage", toLeave, async (session, _folder, server) => {
  toLeave.endless = "CWD";
  await rejectsWith(() => session.attach(false, SIGNAL), ["interrupted"]);
  assertLeft(server);
});

const TURN = ".image-transfer-turn";

async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
}

const asBefore: { onRetr?: () => Promise<void> } = {};
lied("is slow: who compares a file shows that the turn to give names is still needed", asBefore, async (session, folder) => {
  await folder.write("base/a", "other");
  await put(session, folder, new TextEncoder().encode("bytes"));
  let beats: string[] = [];
  asBefore.onRetr = async () => {
    for (let looks = 0; beats.length === 0 && looks < 300; looks++) {
      beats = await namesIn(folder.at("base", TURN));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  assertEquals(await session.publish([publication(STAGED, "a")], SIGNAL), [{ published: true, former: "a.v1" }]);
  assertEquals(beats.length, 1, "a sign of life");
  assertEquals((await namesIn(folder.at("base"))).includes(TURN), false);
}, 2_000);

lied("has another installation at work: its turn is not taken while it shows that it is alive", {}, async (session, folder) => {
  await put(session, folder, CONTENT);
  await Deno.mkdir(folder.at("base", TURN));
  const publishing = session.publish([publication(STAGED, "a")], SIGNAL);
  for (let beat = 0; beat < 20; beat++) {
    await Deno.mkdir(folder.at("base", TURN, String(beat)));
    if (beat > 0) await Deno.remove(folder.at("base", TURN, String(beat - 1)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals((await namesIn(folder.at("base"))).includes("a"), false, `after ${beat} signs of life`);
  }
  // Left behind like this, it is taken.
  assertEquals(await publishing, [{ published: true }]);
  assertEquals((await namesIn(folder.at("base"))).includes(TURN), false);
}, 2_000);
