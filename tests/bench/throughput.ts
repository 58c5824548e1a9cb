/** Many small and a few large files over loopback: all the processors have to do, with no line to wait for. */
import type { Scenario } from "./bench.ts";
import { contest, type Load } from "./contest.ts";
import { has } from "../support/needs.ts";

const LOADS: readonly Load[] = [
  { key: "small", name: "2,000 × 100 kB", count: 2000, bytes: 100_000 },
  { key: "large", name: "4 × 200 MB", count: 4, bytes: 200_000_000 },
];

export const throughput: Scenario = async (say, { without, rounds }) => {
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  for (const load of LOADS) if (!without.has(load.key)) await contest(load, { without, rounds, patienceSeconds: 120 }, say);
};
