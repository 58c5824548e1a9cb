import { assert, assertEquals } from "@std/assert";
import { SftpChannels } from "../../../src/methods/sftp/sftp_channels.ts";
import { openSftp } from "../../../src/methods/sftp/sftp_connection.ts";
import { publish } from "../../../src/methods/naming.ts";
import { sftpNames } from "../../../src/methods/sftp/sftp_files.ts";
import { digest } from "../../../src/methods/sftp/sftp_files.ts";
import { STATUS } from "../../../src/methods/sftp/sftp_protocol.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aLine, aServer, publication, STAGING } from "../../conformance/rig.ts";
import { answers, type Asked, fakeSftp, type Told, VERSION } from "../../support/fake_sftp.ts";

const signal = new AbortController().signal;
const POSIX_RENAME = "posix-rename@openssh.com";

/** What publishing `x.fits` so many times gives, where another file has that name, and `answer` says what becomes of each request. */
async function published(times: number, answer: (asked: Asked) => Told, statOf = stat) {
  const destination = aServer("sftp", {}, {});
  const tell = (asked: Asked) => /^L?STAT$/.test(asked[0]!) ? statOf(asked[1]!) : answer(asked);
  const system = { ...createSystem(), ...fakeSftp(VERSION(POSIX_RENAME), tell) };
  await using connection = await openSftp("ssh", { destination, configFile: null }, null, system, signal);
  const base = {
    calls: connection.calls,
    channels: new SftpChannels(aLine(0), connection, () => Promise.reject(new Error("no more"))),
    context: { system, stagingRoot: STAGING, workFolder: "/work", log: () => {} },
    destination,
    folder: "/base",
    where: "there",
    staging: null,
  };
  const names = sftpNames(base, (paths, signal) => digest(base, paths, signal));
  const outcomes = [];
  for (let time = 1; time <= times; time++) {
    outcomes.push(...await publish(names, [publication(`${STAGING}/a${time}/1`, "x.fits")], signal));
  }
  return outcomes;
}

/** There is no former version; all else is a file, each of another length. */
function stat(path: string): Told {
  if (path === "/base") return answers.attributes(0o40755);
  return path.includes(".v1.fits") ? answers.status(STATUS.NO_SUCH_FILE) : answers.attributes(0o100644, path.length);
}

function worked([what]: Asked): Told {
  return what === "OPEN" ? answers.handle("h") : what === "REALPATH" ? answers.names(["/base", 0o40755]) : answers.ok;
}

/** The plain rename does not replace. */
function refusesTaken(asked: Asked): Told {
  const taken = asked[0] === "RENAME" && !asked[2]!.includes(".v1.fits");
  return taken ? answers.status(STATUS.FAILURE, "Failure") : worked(asked);
}

Deno.test("publish() by SFTP throws when the answer to a replacing rename is lost, so that its attempt is doubted", async () => {
  await rejectsWith(() => published(1, (asked) => asked[0] === POSIX_RENAME ? "end" : refusesTaken(asked)), ["interrupted"]);
});

for (const allows of ["other folders", "nothing"]) {
  Deno.test(`publish() by SFTP where a rename is refused, with a server that allows ${allows}`, async () => {
    const missing = (path: string) => {
      if (/x\.fits$|turn$/.test(path)) return answers.status(STATUS.NO_SUCH_FILE);
      return path.endsWith(STAGING) || path.includes("/check-") ? answers.attributes(0o40700) : stat(path);
    };
    const refuses = (asked: Asked) => {
      const isOurs = asked[1]!.includes(".image-transfer-") && !asked[2]?.endsWith("x.fits");
      const change = asked[0] === "MKDIR" || asked[0] === "RENAME" || asked[0] === POSIX_RENAME;
      return change && !(isOurs && allows === "other folders") ? answers.status(STATUS.FAILURE, "Failure") : worked(asked);
    };
    const [outcome] = await published(1, refuses, missing);
    const failure = outcome?.published === false ? outcome.failure : null;
    assertEquals([failure?.code, failure?.next], ["permission_denied", allows === "nothing" ? "hold" : "later"]);
  });
}

Deno.test("publish() by SFTP reads no file much further than its length, whatever the server sends", async () => {
  const six = (path: string) => path.endsWith("fits") || path.endsWith("/1") ? answers.attributes(0o100644, 6) : stat(path);
  let bytes = 0;
  const answer = (asked: Asked) => {
    if (asked[0] !== "READ") return refusesTaken(asked);
    return ++bytes > 100_000 ? answers.status(STATUS.EOF) : answers.data(new Uint8Array(1));
  };
  const noFormer = (path: string) => path.includes(".v1.fits") ? stat(path) : six(path);
  await published(1, answer, noFormer);
  assert(bytes > 6 && bytes < 20_000, `${bytes} bytes`);
});

Deno.test("publish() by SFTP asks once a session whether rename replaces, and leaves nothing of that", async () => {
  const all: Asked[] = [];
  const outcomes = await published(2, (asked) => {
    all.push(asked);
    return refusesTaken(asked);
  });
  assertEquals(outcomes, [{ published: true, former: "x.v1.fits" }, { published: true, former: "x.v1.fits" }]);
  const probes = (what: string) => all.filter((asked) => asked[0] === what && /\.(free|taken)$/.test(asked.at(-1)!)).length;
  assertEquals([probes("OPEN"), probes("RENAME"), probes("REMOVE")], [2, 1, 2]);
});

Deno.test("publish() by SFTP looks first, and takes the lock, where the plain rename replaces", async () => {
  const all: Asked[] = [];
  const outcomes = await published(1, (asked) => {
    all.push(asked);
    return worked(asked);
  });
  assertEquals(outcomes, [{ published: true, former: "x.v1.fits" }]);
  const names = all.map(([what, ...paths]) => `${what} ${paths.map((path) => path.split("/").at(-1)).join(" ")}`);
  const from = names.indexOf("MKDIR .image-transfer-turn");
  assertEquals(names.slice(from, from + 4), [
    "MKDIR .image-transfer-turn",
    "RENAME x.fits x.v1.fits",
    `${POSIX_RENAME} 1 x.fits`,
    "RMDIR .image-transfer-turn",
  ]);
});
