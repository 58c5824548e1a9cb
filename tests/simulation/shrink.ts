/**
 * Cuts a failed night to the fewest images and faults that still fail, by delta debugging, and tells it in plain words. Its faults are
 * then bound to calls of the program, so that it stays the same night when the code below it changes.
 */
import { type NightOptions, type Scenario } from "./scenario.ts";
import type { Verdict } from "./night.ts";

/** Lets a scenario happen. */
export type Play = (scenario: Scenario) => Promise<Verdict>;

const LINES = 30;
/** A night with fewer images takes its random numbers in another order: each cut is tried with a few. */
const ORDERS = 3;
const PLAIN: NightOptions = {
  onConflict: "version",
  verify: true,
  deleteSource: false,
  mirror: false,
  seesEveryWriter: true,
  audit: false,
};

/** What promise an offence broke, without the names and numbers of the case. */
export function kindOf(offence: string): string {
  return offence.split(/["/\n\d]/)[0]!;
}

/** The smallest scenario found within the time that breaks the same promise as this one. */
export async function shrink(scenario: Scenario, play: Play, withinMs: number): Promise<Scenario> {
  const deadline = Date.now() + withinMs;
  let least = scenario;
  const kind = kindOf((await play(scenario)).offences[0] ?? "");
  const fails = (verdict: Verdict) => verdict.missed.length === 0 && verdict.offences.some((offence) => kindOf(offence) === kind);
  const cut = async (change: Partial<Scenario>): Promise<boolean> => {
    for (const order of [least.order, ...Array.from({ length: ORDERS }, (_, nth) => nth)]) {
      if (Date.now() > deadline) return false;
      const next = { ...least, ...change, order };
      if (!fails(await play(next))) continue;
      least = next;
      return true;
    }
    return false;
  };
  await fewest(least.faults, (faults) => cut({ faults }));
  await fewest(least.shots, (shots) => cut({ shots }));
  await fewest(least.faults, (faults) => cut({ faults }));
  for (const [name, plain] of Object.entries(PLAIN)) {
    if (least.options[name as keyof NightOptions] !== plain) await cut({ options: { ...least.options, [name]: plain } });
  }
  const soonest = Math.min(...[...least.shots, ...least.faults].map(({ at }) => at));
  const sooner = <T extends { readonly at: number }>(list: readonly T[]) =>
    list.map((each) => ({ ...each, at: each.at - soonest }));
  if (Number.isFinite(soonest)) await cut({ shots: sooner(least.shots), faults: sooner(least.faults) });
  for (let minutes = Math.ceil(least.minutes / 2); minutes > 1 && await cut({ minutes }); minutes = Math.ceil(minutes / 2));
  await cut({ faults: (await play(least)).bound });
  return least;
}

/** Leaves out of a list what it can, in pieces that become smaller. */
async function fewest<T>(list: readonly T[], suffices: (some: readonly T[]) => Promise<boolean>): Promise<void> {
  for (let piece = Math.ceil(list.length / 2); piece > 0; piece = Math.floor(piece / 2)) {
    for (let at = 0; at < list.length;) {
      const rest = list.toSpliced(at, piece);
      if (await suffices(rest)) list = rest;
      else at += piece;
    }
  }
}

/** A night in plain words. */
export function tale({ told, offences }: Verdict, command: string): string[] {
  const first = told.findIndex((line) => line.includes(" OFFENCE "));
  const lines = told.slice(0, first < 0 ? undefined : first + 1);
  const most = LINES - 3;
  const half = Math.floor(most / 3);
  const shown = lines.length <= most ? lines : [
    ...lines.slice(0, half),
    `… ${lines.length - most + 1} lines more`,
    ...lines.slice(half + 1 - most),
  ];
  return [...shown.map((line) => line.slice(0, 240)), `In all ${offences.length} offences. The same again:`, `  ${command}`];
}
