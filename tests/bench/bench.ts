// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * `deno task bench [SCENARIO…]`: the speed claims, measured side by side in one run against the same work by hand, bare rsync, scp
 * and lsyncd over a private sshd on loopback. Every claim is a ratio or a limit; nothing here fails a test.
 *
 * With `IMAGE_TRANSFER_BINARY` the compiled program is measured in place of the source.
 *
 * @module
 */
import { backlog } from "./backlog.ts";
import { latency } from "./latency.ts";
import { longWay } from "./long_way.ts";
import { throughput } from "./throughput.ts";
import { watching } from "./watching.ts";

/** One measured number beside its limit. */
export interface Line {
  readonly what: string;
  readonly value: string;
  readonly limit?: string;
  readonly kept?: boolean;
}

export type Scenario = (say: (line: Line) => void) => Promise<void>;

const SCENARIOS: Readonly<Record<string, Scenario>> = { throughput, latency, "long-way": longWay, watching, backlog };

const asked = Deno.args.length > 0 ? Deno.args : Object.keys(SCENARIOS);
for (const name of asked) {
  const scenario = SCENARIOS[name];
  if (!scenario) {
    console.error(`No scenario "${name}"; there are: ${Object.keys(SCENARIOS).join(" ")}`);
    Deno.exit(2);
  }
  console.log(`\n${name}`);
  await scenario(({ what, value, limit, kept }) => {
    const verdict = limit === undefined ? "" : `  (limit ${limit}: ${kept ? "kept" : "NOT kept"})`;
    console.log(`  ${what.padEnd(58)} ${value.padStart(12)}${verdict}`);
  });
}
