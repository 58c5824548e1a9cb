/** Takes out what has been in longest, until there are at most `most`; true if there were more. */
export function keepNewest(all: Map<unknown, unknown> | Set<unknown>, most: number): boolean {
  const hadMore = all.size > most;
  for (const oldest of all.keys()) {
    if (all.size <= most) break;
    all.delete(oldest);
  }
  return hadMore;
}
