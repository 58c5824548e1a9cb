/**
 * The brake of a mirror: whether so many files may be removed without a person, and how much time has passed for what lies in the
 * trash. Pure.
 *
 * @module
 */
import type { Destination } from "../../config/settings.ts";
import { counted } from "../../domain/names/counted.ts";
import type { MirrorState } from "../../ledger/mirror_ledger.ts";

/** What a mirror would do. */
interface Intended {
  /** Files to be removed now. */
  readonly files: number;
  /** Files that were removed within the last hour. */
  readonly lately: number;
  /** Files that the destination has of this job. */
  readonly delivered: number;
  /** Nothing that was delivered is left in the watched folder. */
  readonly emptied: boolean;
  /** The identity of the watched folder now. */
  readonly root: string;
  /** The disk of a folder in it may not be mounted. */
  readonly elsewhere: boolean;
}

/** Why a person has to be asked; null where not. A sentence without a full stop. */
export function whyAsk(
  { maxDelete }: Pick<Destination, "maxDelete">,
  { root, accepted }: Pick<MirrorState, "root" | "accepted">,
  intended: Intended,
): string | null {
  const { files, lately, delivered } = intended;
  if (files === 0 || files <= accepted) return null;
  const gone = `${counted(files, "delivered file")} ${files === 1 ? "is" : "are"} no longer in the watched folder`;
  if (root !== "" && root !== intended.root) return `${gone}, and it is another folder than before`;
  if (intended.elsewhere) return `${gone}, and the disk of one of its folders may not be mounted`;
  if (intended.emptied) return `${gone}, and no delivered file is left there`;
  const most = "files" in maxDelete ? maxDelete.files : Math.max(1, Math.floor(delivered * maxDelete.percent / 100));
  if (files + lately <= most) return null;
  const limit = "files" in maxDelete ? String(most) : `${maxDelete.percent}%, here ${most}`;
  return `${gone}${lately === 0 ? "" : `, ${lately} were removed within the last hour`}, and max_delete is ${limit}`;
}

/**
 * The clock of the trash: it goes with the wall clock, but never faster than time can have passed for certain, so that a wall clock
 * that is set forward empties no trash. `passedMs` since the last call of this process; null at its first call.
 */
export function clockAt(
  { clockMs, wallMs }: Pick<MirrorState, "clockMs" | "wallMs">,
  wall: number,
  passedMs: number | null,
): Pick<MirrorState, "clockMs" | "wallMs"> {
  const most = passedMs === null ? DAY : passedMs + MINUTE;
  const delta = wallMs === 0 ? 0 : Math.min(most, Math.max(0, wall - wallMs));
  return { clockMs: clockMs + delta, wallMs: wall };
}

const MINUTE = 60_000;
const DAY = 86_400_000;
