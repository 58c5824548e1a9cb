/** The whole daemon in the simulated world: short nights and kept ones; `deno task simulate` lets as many happen as there is time for. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { has } from "../support/needs.ts";
import { planted } from "./mutants.ts";
import { MUTANTS } from "./mutants_list.ts";
import { night } from "./night.ts";
import { aNight, type Scenario } from "./scenario.ts";
import { kindOf, shrink, tale } from "./shrink.ts";

const ignore = !has("memory");
const NIGHTS = 30;
const MINUTES = 45;
const DIGEST = `
  import { night } from "./night.ts";
  import { aNight } from "./scenario.ts";
  console.log((await night(aNight(1, ${MINUTES}))).digest);
  Deno.exit(0);
`;

Deno.test({
  name: `${NIGHTS} simulated nights keep the promises`,
  ignore,
  async fn() {
    const broken: string[] = [];
    for (let seed = 1; seed <= NIGHTS; seed++) {
      const { offences } = await night(aNight(seed, MINUTES));
      broken.push(...offences.map((offence) => `deno task simulate --seed ${seed} --nights 1 --minutes ${MINUTES}: ${offence}`));
    }
    assertEquals(broken, []);
  },
});

Deno.test({
  name: "a simulated night is the same moment by moment in another process, when its seed is the same",
  ignore,
  async fn() {
    const { digest } = await night(aNight(1, MINUTES));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "-"],
      stdin: "piped",
      stdout: "piped",
      cwd: HERE,
    })
      .spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode(DIGEST.replaceAll('"./', `"${import.meta.resolve("./")}`)));
    await input.close();
    const { stdout } = await child.output();
    assertEquals(new TextDecoder().decode(stdout).trim(), digest);
    assertNotEquals((await night(aNight(2, MINUTES))).digest, digest);
  },
});
const HERE = fromFileUrl(new URL("../..", import.meta.url));

const KEPT = new URL("kept/", import.meta.url);
for (const { name } of [...Deno.readDirSync(KEPT)].toSorted((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test({
    name: `a kept night: ${name.replace(/\.json$/, "").replaceAll("_", " ")}`,
    ignore,
    async fn() {
      const { offences, missed } = await night(JSON.parse(await Deno.readTextFile(new URL(name, KEPT))));
      assertEquals(offences, []);
      assertEquals(missed, [], "The call that this fault waits for never came: bind it to another one.");
    },
  });
}

Deno.test({
  name: "a kept night whose step never comes says so",
  ignore,
  async fn() {
    const never = { at: 0, call: "rename", below: "/nas", nth: 1_000_000, forMs: 100, kind: "kill" } as const;
    assertEquals((await night({ ...aNight(1, 5), faults: [never] })).missed, [never]);
  },
});

Deno.test({
  name: "shrink() leaves of a broken night what breaks it, bound to a call, and tale() tells it in 30 lines",
  ignore,
  async fn() {
    const isBroken = ({ faults, shots }: Scenario) =>
      faults.some(({ kind }) => kind === "pause") && shots.some(({ kind }) => kind === "in pieces");
    const broken: Scenario = {
      ...aNight(3, 10),
      faults: [...aNight(3, 10).faults, { at: 60_000, forMs: 1000, kind: "pause", destination: "nas" }, {
        at: 90_000,
        forMs: 100,
        kind: "sync",
      }],
    };
    const least = await shrink(broken, async (scenario) => ({
      ...await night(scenario),
      offences: isBroken(scenario) ? ["I1: /nas/a/1 is broken"] : [],
    }), 120_000);
    assertEquals(least.faults.map(({ kind, call }) => [kind, call !== undefined]), [["pause", true]]);
    assertEquals(least.shots.map(({ kind }) => kind), ["in pieces"]);
    const lines = tale(await night(least), "deno task simulate --scenario FILE");
    assertEquals(lines.length <= 30, true);
    assertEquals(lines.at(-1), "  deno task simulate --scenario FILE");
    assertEquals(kindOf("I1: /nas/a/1 shows 3 bytes"), kindOf("I1: /usb/b shows 9 bytes"));
  },
});

Deno.test("each mutant can be planted: its text is there exactly once", async () => {
  for (const { name, file, from, to } of MUTANTS) {
    const text = await Deno.readTextFile(new URL(`../../src/${file}`, import.meta.url));
    assert(planted(text, from, to) !== text, name);
  }
});
