import { assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import type { Reply } from "../../../src/methods/sftp/sftp_channel.ts";
import { publish, type SftpNaming } from "../../../src/methods/sftp/sftp_names.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aServer, publication, STAGING } from "../../conformance/rig.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;

/** What publishing `x.fits` so many times gives, where another file has that name, and `answer` says what becomes of each command. */
async function published(times: number, answer: (command: string) => Reply) {
  await using folder = await tempFolder();
  const none = () => Promise.resolve();
  const naming: SftpNaming = {
    base: {
      channels: {
        run: (commands) =>
          Promise.resolve().then(() =>
            commands.map((command) => command.startsWith("-ls ") ? listing(command) : answer(command))
          ),
        [Symbol.asyncDispose]: none,
      },
      context: { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} },
      destination: aServer("sftp", {}, {}),
      folder: "/base",
      where: "there",
    },
    known: new Set(),
    replaces: null,
  };
  const outcomes = [];
  for (let time = 1; time <= times; time++) {
    outcomes.push(...await publish(naming, [publication(`${STAGING}/a${time}/1`, "x.fits")], signal));
  }
  return outcomes;
}

/** There is no former version; all else is a file, each of another length. */
function listing(command: string): Reply {
  if (command.includes(".v1.fits")) return { output: "", errors: "No such file" };
  const path = command.slice(command.indexOf('"') + 1, -1);
  return { output: `-rw-r--r--    1 0  0  ${path.length} Jan  1 00:00 ${path}\n`, errors: "" };
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
