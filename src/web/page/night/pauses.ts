/** Where a line over time has to be broken: an outage must not look as if it had been measured through. */

/** So many times the usual distance between two values is a pause. */
const PAUSE = 3;

/** In short stretches without a value, `undefined` lets the line go on; `null` breaks it at a pause. */
export function brokenAtPauses(values: readonly (number | null)[]): (number | null | undefined)[] {
  const filled = values.flatMap((value, at) => value === null ? [] : [at]);
  const distances = filled.slice(1).map((at, before) => at - filled[before]!);
  const usual = distances.toSorted((a, b) => a - b)[(distances.length - 1) >> 1] ?? 0;
  const broken: (number | null | undefined)[] = [...values];
  for (const [before, distance] of distances.entries()) {
    if (distance <= PAUSE * usual) broken.fill(undefined, filled[before]! + 1, filled[before + 1]);
  }
  return broken;
}
