import { assert, assertEquals } from "@std/assert";
import type { Reply } from "../../../src/methods/sftp/sftp_channel.ts";
import { withSftpLock } from "../../../src/methods/sftp/sftp_lock.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aServer, STAGING } from "../../conformance/rig.ts";
import { createFakeClock, type FakeClock } from "../../support/fake_clock.ts";

const signal = new AbortController().signal;
const LOCK = "/base/.image-transfer-turn";

/** A server that knows folders only, and the locks of several installations there. */
function server(clock: FakeClock, folders: Set<string>, timeoutMs: number) {
  const answer = (command: string): Reply => {
    const [, words, path = ""] = /^-(.*) "(.*)"$/.exec(command)!;
    const below = [...folders].filter((folder) => folder.startsWith(`${path}/`));
    if (words === "cd") return { output: "", errors: folders.has(path) ? "" : "No such file" };
    if (words === "ls -1a") return { output: below.join("\n"), errors: "" };
    const works = words === "mkdir" ? !folders.has(path) : folders.has(path) && below.length === 0;
    if (works) words === "mkdir" ? folders.add(path) : folders.delete(path);
    return { output: "", errors: works ? "" : "Failure" };
  };
  const base = {
    channels: {
      run: (commands: readonly string[]) => Promise.resolve().then(() => commands.map(answer)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    destination: aServer("sftp", {}, { timeoutMs }),
    context: { system: { ...createSystem(), ...clock }, stagingRoot: STAGING, workFolder: "/work", log: () => {} },
    folder: "/base",
    where: "there",
  };
  return (signal: AbortSignal, work: () => Promise<unknown>) => withSftpLock(base, signal, work);
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
  const first = server(clock, folders, 8_000)(signal, work("first", 12_000));
  await clock.advance(1);
  const second = server(clock, folders, 8_000)(signal, work("second", 10));
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
    const locked = server(clock, folders, 6_000)(signal, () => Promise.resolve(worked = true));
    await clock.advance(5_500);
    assert(worked, "in time");
    await locked;
    assertEquals([...folders], []);
  }
});
