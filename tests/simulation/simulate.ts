// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * `deno task simulate [--nights N] [--seed S] [--minutes M]`: lets nights happen in the simulated world, one seed after the other, and says which
 * of them broke a promise; the same seed is the same night. Ends with the nights a minute, and 1 where there was an offence.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { runNight } from "./night.ts";
import { aNight } from "./scenario.ts";

const { values } = parseArgs({
  options: {
    nights: { type: "string", default: "30" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 86_400_000) * 1000) },
    minutes: { type: "string", default: "480" },
    story: { type: "boolean", default: false },
  },
});
const [nights, seed, minutes] = [Number(values.nights), Number(values.seed), Number(values.minutes)];
const begun = performance.now();
let offences = 0;
for (let at = seed; at < seed + nights; at++) {
  // A night lets the promises of all others wait: each begins outside of them.
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(() => {
    const verdict = runNight(aNight(at, minutes));
    offences += verdict.offences.length;
    console.log(
      `night ${at}: ${verdict.deliveries} deliveries, ${verdict.steps} steps, ${verdict.digest}, ${verdict.offences.length} offences`,
    );
    for (const offence of verdict.offences) console.log(`  ${offence}`);
    if (values.story) { for (const line of verdict.story) console.log(`    ${line}`); }
    resolve();
  }, 0);
  await promise;
}
console.log(`${nights} nights, ${(nights / (performance.now() - begun) * 60_000).toFixed(1)} a minute, ${offences} offences`);
Deno.exit(offences > 0 ? 1 : 0);
