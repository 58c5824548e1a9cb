/** A line with a round trip of 200 ms (another continent), through our own proxy: who waits for answers loses. */
import type { Scenario } from "./bench.ts";
import { contest, type Load } from "./contest.ts";
import { has } from "../support/needs.ts";

const LOADS: readonly Load[] = [
  { key: "small", name: "round trip 200 ms, 500 × 100 kB", count: 500, bytes: 100_000 },
  { key: "large", name: "round trip 200 ms, 6 × 40 MB", count: 6, bytes: 40_000_000 },
];

export const longLine: Scenario = async (say, { without, rounds }) => {
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  for (const load of LOADS) {
    if (!without.has(load.key)) await contest(load, { without, rounds, roundTripMs: 200, patienceSeconds: 120 }, say);
  }
};
