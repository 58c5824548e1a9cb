/** A night by target and filter: how many images, how long they were exposed, and which numbers the camera skipped. */
import type { NightFrame, NightPoint } from "../../ledger/history.ts";
import type { NightTarget } from "../api_types.ts";
import { frameGaps } from "../morning/frame_gaps.ts";

/** Gathers the images of a night, one after the other. */
interface NightTargets {
  saw(frame: NightFrame): void;
  /** All that were seen, in the order of their first images. */
  list(): NightTarget[];
}

const MOST_TARGETS = 200;
const MOST_RANGES = 50;

/** `points` are the deliveries of the night; images without one are left out. */
export function nightTargets(points: readonly NightPoint[]): NightTargets {
  const images = imagesOf(points);
  const groups = new Map<string, Group>();
  const numbers = frameGaps();
  return {
    saw(frame) {
      const image = images.get(frame.versionId);
      if (image === undefined) return;
      const key = JSON.stringify([frame.target, frame.filter]);
      numbers.saw(frame.job, frame.path, key);
      const group = groups.get(key) ?? { ...NOTHING, target: frame.target, filter: frame.filter };
      groups.set(key, {
        ...group,
        frames: group.frames + 1,
        delivered: group.delivered + (image.isDelivered ? 1 : 0),
        seconds: frame.exposure === null ? group.seconds : (group.seconds ?? 0) + frame.exposure,
        first: Math.min(group.first, image.at),
        last: Math.max(group.last, image.at),
      });
    },
    list() {
      const gaps = Map.groupBy(numbers.eachGap(), ({ after }) => after);
      const all = [...groups].map(([key, group]): NightTarget => ({
        ...group,
        missing: (gaps.get(key) ?? []).slice(0, MOST_RANGES).map(({ shown }) => shown),
        missingCount: (gaps.get(key) ?? []).reduce((sum, { count }) => sum + count, 0),
      }));
      return all.sort((a, b) => a.first - b.first).slice(0, MOST_TARGETS);
    },
  };
}

type Group = Omit<NightTarget, "missing" | "missingCount">;
const NOTHING = { frames: 0, delivered: 0, seconds: null, first: Infinity, last: -Infinity } as const;

/** When each image was finished, and whether it is everywhere. */
function imagesOf(points: readonly NightPoint[]): ReadonlyMap<number, { readonly at: number; readonly isDelivered: boolean }> {
  const images = new Map<number, { at: number; isDelivered: boolean }>();
  for (const { versionId, queuedAt, deliveredAt } of points) {
    const before = images.get(versionId);
    images.set(versionId, { at: before?.at ?? queuedAt, isDelivered: (before?.isDelivered ?? true) && deliveredAt !== null });
  }
  return images;
}
