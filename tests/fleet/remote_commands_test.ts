/** Commands of other computers, where something goes wrong between giving, carrying out and answering them: each takes effect once at most. */
import { assertEquals } from "@std/assert";
import { COMMANDS, HEARTBEATS } from "../../src/fleet/collections.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { type FleetServer, fleetServer, linkRig, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };
const RECORDS = `/api/collections/${COMMANDS}/records`;
const { askRemote } = createSystem();

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

/** Whether a question writes this state of a command. */
function writes(state: string, [url, { method, body }]: Parameters<System["askRemote"]>): boolean {
  return method === "PATCH" && url.includes(COMMANDS) && String(body).includes(`"state":"${state}"`);
}

Deno.test("a command is not carried out again by a daemon that was killed before it could answer", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const account = { ...server.account, mayDo: ["pause"] } as const;
  const command = await pauseOf(server);
  {
    await using killed = await linkRig(folder, account, {
      askRemote: async (...question) => {
        if (writes("done", question)) throw new TypeError("killed");
        return await askRemote(...question);
      },
    });
    await killed.until(() => killed.ordered.length > 0, "the command");
    assertEquals((await command()).state, "taken");
  }
  await using again = await linkRig(folder, account);
  await again.until(async () => (await command()).state !== "taken", "the answer");
  assertEquals(again.ordered, []);
  const { state, answer } = await command();
  assertEquals([state, answer], [
    "failed",
    "the daemon was stopped while it did this: check, and send it again if it has no effect",
  ]);
});

Deno.test("a command is carried out once, though the server's answers are lost", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const command = await pauseOf(server);
  const lost = new Set<string>();
  await using link = await linkRig(folder, { ...server.account, mayDo: ["pause"] }, {
    askRemote: async (...question) => {
      const answer = await askRemote(...question);
      const state = ["taken", "done"].find((one) => writes(one, question) && !lost.has(one));
      if (state === undefined) return answer;
      lost.add(state);
      throw new TypeError("the connection was lost");
    },
  });
  await link.until(() => lost.size === 2, "both answers");
  assertEquals([(await command()).state, link.ordered], ["done", ["pause nas"]]);
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
  await using link = await linkRig(folder, { ...server.account, mayDo: ["pause"] }, {
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
