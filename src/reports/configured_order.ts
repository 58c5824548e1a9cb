/** The order in which destinations are shown everywhere: that of the configuration. */
import type { Job } from "../config/settings.ts";

/** For `sort`: what is not configured any more comes last, in the order in which it was given. */
export function configuredOrder<T>(
  jobs: readonly Pick<Job, "name" | "destinations">[],
  placeOf: (one: T) => { readonly job: string; readonly destination: string },
): (a: T, b: T) => number {
  const places = jobs.flatMap(({ name: job, destinations }) => destinations.map(({ name }) => JSON.stringify([job, name])));
  const ranks = new Map(places.map((key, rank) => [key, rank]));
  const rankOf = (one: T) => {
    const { job, destination } = placeOf(one);
    return ranks.get(JSON.stringify([job, destination])) ?? ranks.size;
  };
  return (a, b) => rankOf(a) - rankOf(b);
}
