/** Where the images are safe while a destination is in trouble: what an observer wants to know first. */
import type { Counts } from "../../ledger/history.ts";
import { waitingOf } from "../../ledger/orphans.ts";
import type { NightSummary } from "../api_types.ts";
import { listed } from "./listed.ts";

/** A destination that takes nothing just now. */
interface Troubled {
  readonly job: string;
  readonly name: string;
  readonly counts: Counts;
  /** Its disk is missing, and with it what was delivered to it. */
  readonly isLost?: boolean;
}

type Place = NightSummary["destinations"][number];

/**
 * `All 240 images are safe on freya`, or how many wait; empty where there is nothing to say. Counts the images of tonight of the
 * jobs whose destinations are in trouble. A source is not removed before all destinations have it, so whatever waits is still there.
 */
export function safetyOf(troubled: readonly Troubled[], { destinations }: Pick<NightSummary, "destinations">): string {
  const isTroubled = ({ job, name }: Place) => troubled.some((one) => one.job === job && one.name === name);
  const jobs = [...new Set(troubled.map(({ job }) => job))].map((job) => {
    const places = destinations.filter((one) => one.job === job);
    const images = Math.max(0, ...places.map(({ expected }) => expected));
    const complete = places.filter((one) => !isTroubled(one) && one.delivered >= images);
    return { images, complete, delivered: Math.max(0, ...places.map(({ delivered }) => delivered)) };
  }).filter(({ images }) => images > 0);
  const images = jobs.reduce((sum, one) => sum + one.images, 0);
  const waiting = troubled.reduce((sum, { counts }) => sum + waitingOf(counts), 0);
  if (images === 0) {
    return waiting === 0 ? "" : `${waits(waiting, "delivery", "deliveries")}; the images are still in the watched folder`;
  }
  const older = waiting - destinations.filter(isTroubled).reduce((sum, one) => sum + one.waiting, 0);
  const where = whereOf(jobs, images, troubled.some(({ isLost }) => isLost));
  return [where, older > 0 ? waits(older, "older delivery", "older deliveries") : ""].filter((part) => part !== "").join("; ");
}

function whereOf(
  jobs: readonly { readonly complete: readonly Place[]; readonly delivered: number }[],
  images: number,
  someAreLost: boolean,
): string {
  if (jobs.every(({ complete }) => complete.length > 0)) {
    const names = listed(jobs.flatMap(({ complete }) => complete.map(({ name }) => name)));
    return images === 1 ? `The one image is safe on ${names}` : `All ${images} images are safe on ${names}`;
  }
  const delivered = jobs.reduce((sum, one) => sum + one.delivered, 0);
  const left = images - delivered;
  if (someAreLost) return left <= 0 ? "" : `${waits(left, "image")} in the watched folder`;
  if (left <= 0 && images === 1) return "The one image is delivered";
  if (left <= 0) return `All ${images} images are delivered to at least one destination`;
  if (delivered === 0) return `${waits(images, "image")} in the watched folder`;
  return `${delivered} of ${images} images are delivered; ${waits(left, "image")} in the watched folder`;
}

function waits(number: number, noun: string, plural = `${noun}s`): string {
  return number === 1 ? `1 ${noun} is waiting` : `${number} ${plural} are waiting`;
}
