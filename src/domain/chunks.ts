/** The items in order, at most `size` at a time; each is read only when its piece is asked for. */
export function* chunks<T>(items: Iterable<T>, size: number): Generator<T[], void> {
  let chunk: T[] = [];
  for (const item of items) {
    if (chunk.push(item) < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Shares items out so that all shares weigh about the same; none is empty where there are as many items. */
export function shares<T>(items: readonly T[], count: number, weightOf: (item: T) => number): T[][] {
  const found = Array.from({ length: count }, () => ({ weight: 0, items: [] as T[] }));
  for (const item of items) {
    const lightest = found.reduce((least, share) => share.weight < least.weight ? share : least);
    lightest.weight += weightOf(item);
    lightest.items.push(item);
  }
  return found.map(({ items }) => items);
}

/** Takes out what has been in longest, until there are at most `most`; true if there were more. */
export function keepNewest(all: Map<unknown, unknown> | Set<unknown>, most: number): boolean {
  const hadMore = all.size > most;
  for (const oldest of all.keys()) {
    if (all.size <= most) break;
    all.delete(oldest);
  }
  return hadMore;
}
