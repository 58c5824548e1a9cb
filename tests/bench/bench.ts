// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * `deno task bench [SCENARIO…] [--without=NAME,…] [--rounds=N] [--files=N] [--daemons=N]`: what a user does, measured side by side in one run
 * with rsync, scp and lsyncd over a private sshd on loopback: FITS files, default settings, a daemon that runs already, the clock
 * from the drop of the files to the last one verified and visible. Every claim is a ratio or a limit; nothing here fails a test.
 *
 * With `IMAGE_TRANSFER_BINARY` the compiled program is measured in place of the source.
 */
import { parseArgs } from "node:util";
import { backlog } from "./backlog.ts";
import { bandwidth } from "./bandwidth.ts";
import { fleet } from "./fleet.ts";
import { ftp } from "./ftp.ts";
import { growing } from "./growing.ts";
import { latency } from "./latency.ts";
import { type Cost, median, secs } from "./measure.ts";
import { longLine } from "./long_line.ts";
import { objects } from "./objects.ts";
import { pages } from "./pages.ts";
import { start } from "./start.ts";
import { stream } from "./stream.ts";
import { throughput } from "./throughput.ts";
import { watching } from "./watching.ts";
import { windows } from "./windows.ts";

/** How a run is cut short. */
export interface BenchOptions {
  /** Contestants and loads to leave out, by their short names. */
  readonly without: ReadonlySet<string>;
  readonly rounds: number;
  /** How many files are under watch, and in the backlog. */
  readonly files: number;
  /** How many daemons a fleet has. */
  readonly daemons: number;
}

/** One measured number beside its limit. */
interface Line {
  readonly what: string;
  readonly value: string;
  readonly limit?: string;
  readonly kept?: boolean;
  /** Set against another contestant. */
  readonly beside?: string;
  /** What each round took. */
  readonly cost?: readonly Cost[];
}

export type Say = (line: Line) => void;

export type Scenario = (say: Say, options: BenchOptions) => Promise<void>;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  throughput,
  latency,
  stream,
  growing,
  ftp,
  "long-line": longLine,
  rclone: objects,
  start,
  watching,
  backlog,
  pages,
  bandwidth,
  fleet,
  windows,
};

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    without: { type: "string", default: "" },
    rounds: { type: "string", default: "3" },
    files: { type: "string", default: "200000" },
    daemons: { type: "string", default: "50" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log("deno task bench [SCENARIO…] [--without=NAME,…] [--rounds=N] [--files=N] [--daemons=N]");
  console.log(`Scenarios: ${Object.keys(SCENARIOS).join(" ")}`);
  Deno.exit();
}
const options: BenchOptions = {
  without: new Set(values.without.split(",")),
  rounds: Number(values.rounds),
  files: Number(values.files),
  daemons: Number(values.daemons),
};
const asked = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
for (const name of asked) {
  const scenario = SCENARIOS[name];
  if (!scenario) {
    console.error(`No scenario "${name}"; there are: ${Object.keys(SCENARIOS).join(" ")}`);
    Deno.exit(2);
  }
  console.log(`\n${name}`);
  await scenario(({ what, value, limit, kept, cost, beside = "" }) => {
    const verdict = limit === undefined ? "" : `  (limit ${limit}: ${kept ? "kept" : "NOT kept"})`;
    const processor = cost === undefined ? "" : `  processor ${secs(median(cost.map(({ cpu }) => cpu)))}`;
    const rounds = cost === undefined ? "" : `  [${cost.map(({ wall }) => wall.toFixed(2)).join(" ")}]`;
    console.log(`  ${what.padEnd(58)} ${value.padStart(12)}${beside}${processor}${rounds}${verdict}`);
  }, options);
}
