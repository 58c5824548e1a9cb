/** Commands of other computers, where something goes wrong between giving, carrying out and answering them: each takes effect once at most. */
import { assertEquals, assertRejects } from "@std/assert";
import { CLAIMS, COMMANDS, HEARTBEATS } from "../../src/fleet/collections.ts";
import { commandMemory } from "../../src/fleet/remote_commands.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { type Commanded, takeCommands } from "../../src/fleet/remote_commands.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";
import { type FleetServer, fleetServer, linkRig, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };
const RECORDS = `/api/collections/${COMMANDS}/records`;
const { askRemote, writeText } = createSystem();

interface Command {
  readonly id: string;
  readonly state: string;
  readonly answer: string;
}

async function pauseOf({ root, id: daemon }: FleetServer): Promise<() => Promise<Command>> {
  const body = { daemon, issued_by: daemon, action: "pause", argument: "nas", state: "waiting" };
  const { id } = await root.ask<Command>(RECORDS, { method: "POST", body }, never);
  return () => root.ask<Command>(`${RECORDS}/${id}`, {}, never);
}

/** Whether a question claims a command, or answers it. */
function tells(what: "claim" | "answer", [url, { method }]: Parameters<System["askRemote"]>): boolean {
  return what === "claim" ? method === "POST" && url.includes(CLAIMS) : method === "PATCH" && url.includes(COMMANDS);
}

for (
  const { when, isKept, expected } of [
    { when: "before it could answer", isKept: true, expected: ["done", "nas"] },
    {
      when: "before it knew the answer",
      isKept: false,
      expected: ["failed", "the daemon was stopped while it did this: check, and send it again if it has no effect"],
    },
  ]
) {
  Deno.test(`a command is not carried out again by a daemon that was killed ${when}`, options, async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const account = { ...server.account, mayDo: ["pause"], mayDoFrom: ["spring"] } as const;
    const command = await pauseOf(server);
    {
      await using killed = await linkRig(folder, account, {
        askRemote: async (...question) => {
          if (tells("answer", question)) throw new TypeError("killed");
          return await askRemote(...question);
        },
        writeText: async (path, text, mode) => {
          if (!isKept && text.includes("done")) throw new TypeError("killed");
          await writeText(path, text, mode);
        },
      });
      await killed.until(() => killed.ordered.length > 0, "the command");
      assertEquals((await command()).state, "waiting");
    }
    await using again = await linkRig(folder, account);
    await again.until(async () => (await command()).state !== "waiting", "the answer");
    const { state, answer } = await command();
    assertEquals([again.ordered, state, answer], [[], ...expected]);
  });
}

Deno.test("a command is carried out once, though the server's answers are lost", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const command = await pauseOf(server);
  const lost = new Set<string>();
  await using link = await linkRig(folder, { ...server.account, mayDo: ["pause"], mayDoFrom: ["spring"] }, {
    askRemote: async (...question) => {
      const answer = await askRemote(...question);
      const what = (["claim", "answer"] as const).find((one) => tells(one, question) && !lost.has(one));
      if (what === undefined) return answer;
      lost.add(what);
      throw new TypeError("the connection was lost");
    },
  });
  await link.until(() => lost.size === 2, "both answers");
  assertEquals([(await command()).state, link.ordered], ["done", ["pause nas"]]);
});

Deno.test("a command that was carried out is not again when the server is restored from a backup", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const command = await pauseOf(server);
  await server.kill();
  const copy = async (from: string, to: string) => {
    await Deno.remove(folder.at(to), { recursive: true }).catch(() => {});
    await Deno.mkdir(folder.at(to));
    for await (const { name, isFile } of Deno.readDir(folder.at(from))) {
      if (isFile) await Deno.copyFile(folder.at(`${from}/${name}`), folder.at(`${to}/${name}`));
    }
  };
  await copy("data", "backup");
  await server.start();
  const account = { ...server.account, mayDo: ["pause"], mayDoFrom: ["spring"] } as const;
  const answered = async () => (await command()).state === "done";
  {
    await using link = await linkRig(folder, account);
    await link.until(answered, "the answer");
    for (const isRestarted of [false, true]) {
      await server.kill();
      await copy("backup", "data");
      await server.start();
      assertEquals((await command()).state, "waiting");
      if (isRestarted) break;
      await link.until(answered, "the answer again");
    }
    assertEquals(link.ordered, ["pause nas"]);
  }
  await using again = await linkRig(folder, account);
  await again.until(answered, "the answer of a daemon that was restarted");
  assertEquals(again.ordered, []);
});

Deno.test("of two daemons with one account, as after a disk was cloned, one carries a command out", options, async () => {
  await using folder = await tempFolder();
  await using other = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const account = { ...server.account, mayDo: ["pause"], mayDoFrom: ["spring"] } as const;
  // Both see the command before one has claimed it.
  let claims = 0;
  const both = Promise.withResolvers<void>();
  const together = {
    askRemote: async (...question: Parameters<System["askRemote"]>) => {
      if (tells("claim", question) && ++claims === 2) both.resolve();
      if (tells("claim", question)) await both.promise;
      return await askRemote(...question);
    },
  };
  await using one = await linkRig(folder, account, together);
  await using clone = await linkRig(other, account, { ...together, hostname: "clone" });
  const command = await pauseOf(server);
  await one.until(async () => (await command()).state === "done", "the answer");
  assertEquals([...one.ordered, ...clone.ordered], ["pause nas"]);
  const left = () => [...one.notices(), ...clone.notices()].filter((message) => message.includes("which uses the same account"));
  await one.until(() => left().length === 1, "the message of the other");
});

Deno.test("a command that came while the computer was asleep has expired when it wakes up", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const earlier = (text: string, key: string, minutes: number) =>
    text.replaceAll(new RegExp(`"${key}":"([^"]+)"`, "g"), (_, time: string) => {
      const at = new Date(Date.parse(time.replace(" ", "T")) - minutes * 60_000);
      return `"${key}":"${at.toISOString().replace("T", " ")}"`;
    });
  let isAwake = false;
  await using link = await linkRig(folder, { ...server.account, mayDo: ["pause"], mayDoFrom: ["spring"] }, {
    askRemote: async (...question) => {
      const [url, { method }] = question;
      if (isAwake && url.includes(HEARTBEATS)) throw new TypeError("not yet");
      const answer = await askRemote(...question);
      // The clock of a process stands still in sleep: what was two hours ago seems to be now.
      if (url.includes(HEARTBEATS) && method !== "GET") return { ...answer, text: earlier(answer.text, "updated", 120) };
      return url.includes(COMMANDS) ? { ...answer, text: earlier(answer.text, "created", 90) } : answer;
    },
  });
  await link.until(() => link.beats() > 1, "a heartbeat");
  isAwake = true;
  const command = await pauseOf(server);
  await link.until(async () => !["waiting", "taken"].includes((await command()).state), "the answer");
  const { state, answer } = await command();
  assertEquals([state, answer, link.ordered], ["refused", "it is more than an hour old", []]);
});

Deno.test("takeCommands() answers commands of odd types as it answers others, and takes none without an ID", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const memory = await commandMemory(folder.path, system);
  const answered: unknown[] = [];
  const odd = {
    id: "a",
    daemon: 1,
    issued_by: [],
    issued_as: { toLowerCase: 1 },
    action: ["pause"],
    argument: 1e308,
    created: {},
  };
  const server = (commands: readonly unknown[]) => ({
    ...pocketbaseServer(pocketbaseSettings("http://127.0.0.1:9", "a@daemon.invalid", "unused-1"), system),
    all: <T>(collection: string) => Promise.resolve((collection === COMMANDS ? commands : []) as T[]),
    clock: () => Promise.resolve(0),
    ask: <T>(_path: string, { body }: { body?: unknown }) => (answered.push(body), Promise.resolve({} as T)),
  });
  const taking = { daemon: {} as Commanded, memory, instance: "test", emit: () => {} };
  const take = (commands: readonly unknown[]) =>
    takeCommands({ mayDo: ["pause"], mayDoFrom: ["spring"] }, { id: "b", name: "spring" }, taking, server(commands), never);
  await take([odd]);
  assertEquals(answered, [{ state: "refused", answer: "the account that sent it has been removed" }]);
  await assertRejects(() => take([{ ...odd, id: 1 }]), Error, "does not respond like a PocketBase server");
});
