import { assert, assertEquals } from "@std/assert";
import { connections } from "../../../src/methods/ftp/curl.ts";
import type { Curl } from "../../../src/methods/ftp/curl.ts";
import { ftp } from "../../../src/methods/ftp/ftp.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { anFtpServer } from "../../conformance/over_ftpd.ts";
import { digestOf, ignoreBytes, makeSource, noise, STAGING, upload } from "../../conformance/rig.ts";
import { startFtpd } from "../../support/ftpd.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const SIGNAL = new AbortController().signal;
const CLOCK = { sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)), monotonic: () => performance.now() };
const NO_TALK: Curl = { version: "curl 8", talk: () => Promise.resolve([]) };

Deno.test("connections().take() gives what is free, and one in any case", () => {
  const { take } = connections(NO_TALK, 4, CLOCK);
  using first = take(3);
  using second = take(3);
  using third = take(3);
  assertEquals([first.count, second.count, third.count], [3, 1, 1]);
});

/** A curl whose server takes so many connections; `release()` ends the run that began first. */
function limited(most: number): { curl: Curl; release(): void; open(): number } {
  const open: (() => void)[] = [];
  return {
    open: () => open.length,
    release: () => open.shift()!(),
    curl: {
      version: "curl 8",
      async talk() {
        if (open.length >= most) {
          const replies = [{ code: 421, lines: ["There are too many connections from your internet address."] }];
          return [{ exit: 67, error: "", exchanges: [{ command: "(connect)", replies }] }];
        }
        await new Promise<void>((resolve) => open.push(resolve));
        return [{ exit: 0, error: "", exchanges: [] }];
      },
    },
  };
}

Deno.test("connections().curl waits for a run of ours where the server takes no more, and fewer are taken from then on", async () => {
  const server = limited(1);
  const { curl, take } = connections(server.curl, 4, CLOCK);
  const runs = [curl.talk([], SIGNAL), curl.talk([], SIGNAL)];
  for (let ended = 0; ended < 2; ended++) {
    while (server.open() === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    server.release();
  }
  assertEquals((await Promise.all(runs)).map(([end]) => end?.exit), [0, 0]);
  using taken = take(4);
  assertEquals(taken.count, 1);
});

Deno.test("connections().curl does not wait where none of ours is open: others have them all", async () => {
  const { curl } = connections(limited(0).curl, 4, CLOCK);
  assertEquals((await curl.talk([], SIGNAL)).map(({ exit }) => exit), [67]);
});

Deno.test("connections().curl gives up soon where the server refuses all of ours, however slowly: runs do not keep each other waiting", async () => {
  const clock = createFakeClock({ realFiles: true });
  let logins = 0;
  const replies = [{ code: 421, lines: ["Too many users"] }];
  const talk: Curl["talk"] = async () => {
    logins += 1;
    await clock.sleep(1_000);
    return [{ exit: 67, error: "", exchanges: [{ command: "(connect)", replies }] }];
  };
  await clock.advance(60_000);
  const { curl } = connections({ version: "curl 8", talk }, 4, clock);
  let ended = 0;
  for (let run = 0; run < 3; run++) {
    void curl.talk([], SIGNAL).then(() => ended++);
    await clock.advance(300);
  }
  for (let tenth = 0; tenth < 150; tenth++) await clock.advance(100);
  assertEquals(ended, 3, `${logins} logins in a minute`);
  assert(logins <= 9, `${logins} logins`);
});

for (const most of [1, 10]) {
  Deno.test(`ftp sends and reads back 160 files where a host may have ${most} connections`, needs("vsftpd"), async () => {
    await using folder = await tempFolder();
    await using server = await startFtpd({ config: [`max_per_ip=${most}`] });
    const destination = {
      ...anFtpServer(server, undefined, { basePath: folder.at("base"), parallelTransfers: 4 }),
    } as Parameters<typeof ftp.connect>[0];
    const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
    await using session = await ftp.connect(destination, context, SIGNAL);
    await session.attach(true, SIGNAL);
    const contents = Array.from({ length: 160 }, (_, index) => noise(300_000, index));
    const uploads = await Promise.all(
      contents.map(async (content, index) => upload(await makeSource(folder.at("source"), `${index}`, content), index)),
    );
    const before = logins(await server.log());
    const surveyed = session.survey(["a", "b"], SIGNAL);
    const outcomes = await session.put(uploads, ignoreBytes, SIGNAL);
    assertEquals(await surveyed, [null, null]);
    for (const [index, outcome] of outcomes.entries()) {
      assertEquals(outcome, { put: true, there: await digestOf(contents[index]!) });
    }
    const log = await server.log();
    assertEquals(/There are too many connections/.test(log), most === 1);
    // One for each share, one for the question, and one for the look at our folder; perhaps fewer shares once one was refused.
    const [all, expected] = [logins(log) - before, 4 + 1 + 1];
    assert(most === 1 ? all <= expected : all === expected, `${all} logins`);
  });
}

function logins(log: string): number {
  return log.match(/OK LOGIN/g)?.length ?? 0;
}
