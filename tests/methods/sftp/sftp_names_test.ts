import { assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import type { Reply } from "../../../src/methods/sftp/sftp_channel.ts";
import { sftpNames } from "../../../src/methods/sftp/sftp_names.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { publication, STAGING } from "../../conformance/rig.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;

/** What publishing `x.fits` so many times gives, where another file has that name, and `answer` says what becomes of each command. */
async function published(times: number, answer: (command: string) => Reply) {
  await using folder = await tempFolder();
  const none = () => Promise.resolve();
  const { publish } = sftpNames({
    channels: {
      run: (commands) => Promise.resolve().then(() => commands.map(answer)),
      [Symbol.asyncDispose]: none,
    },
    context: { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} },
    where: "there",
    timeoutMs: 60_000,
    key: "key",
    path: (relative) => `/base/${relative}`,
    list: (path) => Promise.resolve(path.endsWith(".v1.fits") ? { kind: "nothing" } : { kind: "file", bytes: path.length }),
    isFolder: () => Promise.resolve(true),
    checkBase: none,
    digest: () => Promise.resolve([]),
  });
  const outcomes = [];
  for (let time = 1; time <= times; time++) {
    outcomes.push(...await publish([publication(`${STAGING}/a${time}/1`, "x.fits")], signal));
  }
  return outcomes;
}

const WORKED: Reply = { output: "", errors: "" };

Deno.test("publish() by SFTP throws when the answer to a replacing rename is lost, so that its attempt is doubted", async () => {
  await rejectsWith(() =>
    published(1, (command) => {
      if (command.startsWith("-rename -l")) return { output: "", errors: "Failure" };
      if (command.startsWith("-rename ")) throw new Failure("interrupted", "Lost nas: the connection was lost");
      return WORKED;
    }), ["interrupted"]);
});

Deno.test("publish() by SFTP asks once a session whether rename replaces, and leaves nothing of that", async () => {
  const asked: string[] = [];
  const outcomes = await published(2, (command) => {
    asked.push(command);
    return command.startsWith("-rename -l") ? { output: "", errors: "Failure" } : WORKED;
  });
  assertEquals(outcomes, [{ published: true, former: "x.v1.fits" }, { published: true, former: "x.v1.fits" }]);
  const probes = (words: string) =>
    asked.filter((command) => command.startsWith(words) && /\.(free|taken)"$/.test(command)).length;
  assertEquals([probes("-put "), probes("-rename -l "), probes("-rm ")], [2, 1, 2]);
});
