/** A day without a network, on a clock that the test moves; then the real server is back. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { JOBS, LOGS } from "../../src/fleet/collections.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { fleetServer, linkRig, never } from "./link_rig.ts";

const HOUR = 3_600_000;

Deno.test(
  "after 24 hours without a network everything is sent in order; meanwhile the server is asked seldom, and the disk is bounded",
  needs("pocketbase"),
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const job = { name: "guider", enabled: true, settings: { watch_path: "/guider", remote_base_path: "/nas" } };
    await server.root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body: job }, never);
    const clock = createFakeClock({
      startMs: Date.now(),
      random: [0.1, 0.9, 0.5],
    });
    const { askRemote, hearRemote } = createSystem();
    const asked: number[] = [];
    let isThere = true;
    const through = <T>(ask: () => Promise<T>): Promise<T> => {
      if (isThere) return ask();
      asked.push(clock.monotonic());
      return Promise.reject(new TypeError("network is unreachable"));
    };
    const account = { ...server.account, timeoutMs: 10 * HOUR, refreshMs: 300_000 };
    await using link = await linkRig(folder, account, {
      ...clock,
      askRemote: (...question) => through(() => askRemote(...question)),
      hearRemote: (...question) => through(() => hearRemote(...question)),
    });
    /** A step of the clock, with time for what really happens. */
    const step = async (ms: number, realMs = 20) => {
      await clock.advance(ms);
      await new Promise((resolve) => setTimeout(resolve, realMs));
    };
    await link.until(async () => (await step(1000), link.jobs().includes("guider")), "the job");
    await link.until(async () => (await step(1000), link.beats() > 0), "a heartbeat");

    isThere = false;
    const began = clock.monotonic();
    for (let hour = 0; hour < 24; hour++) {
      for (const level of ["debug", "info", "warning", "error"] as const) link.say(`line ${hour} ${level}`, level);
      // In four parts, so that what is due in between comes in its order.
      for (let part = 0; part < 4; part++) await step(HOUR / 4);
    }
    const hours = (clock.monotonic() - began) / HOUR;
    assert(hours >= 24);
    // A heartbeat each minute, everything else at most every five: nobody is flooded, and none has given up.
    assert(asked.length / hours < 60 + 6 * 12 + 30, `${asked.length} requests in ${hours} h`);
    // What was under way when the network went away has its own, real time.
    const gaps = asked.filter((at) => at > began + HOUR).map((at, index, all) => at - (all[index - 1] ?? at));
    assert(Math.max(...gaps) <= 70_000, `a gap of ${Math.max(...gaps)} ms`);
    // Said once, with what is in force.
    const said = link.notices();
    assertEquals(said.length, 1, JSON.stringify(said));
    assertMatch(said[0]!, /Cannot reach .*: no connection\. .*The jobs in force were fetched .* ago\./);
    assertEquals([link.jobs(), link.reloads()], [["default", "guider"], 1]);
    const files = await Array.fromAsync(Deno.readDir(`${link.stateFolder}/pocketbase-logs`));
    assert(files.length <= 3, `${files.length} files wait`);

    isThere = true;
    const logged = async () =>
      (await server.root.all<{ message: string }>(LOGS, { sort: "time" }, never)).map(({ message }) => message)
        .filter((message) => message.startsWith("line"));
    await link.until(async () => (await step(2000), (await logged()).length >= 96), "the log");
    const expected = Array.from(
      { length: 24 },
      (_, hour) => ["debug", "info", "warning", "error"].map((level) => `line ${hour} ${level}`),
    );
    // The lines of one moment have no order of their own.
    const byHour = (await logged()).map((message) => Number(message.split(" ")[1]));
    assertEquals(byHour, byHour.toSorted((one, other) => one - other));
    assertEquals((await logged()).sort(), expected.flat().sort());
    await link.until(
      async () => (await step(1000), link.notices().at(-1)!.startsWith("PocketBase: connected to")),
      "the connection",
    );
  },
);
