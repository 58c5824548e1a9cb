/** The files that `newer_than` leaves aside: how many there are, and since when that is so. */
import { format as formatBytes } from "@std/fmt/bytes";
import type { Job } from "../../config/settings.ts";
import type { FailureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { oldestCounted } from "../../domain/newer_than.ts";
import { shownIn } from "../../domain/night/night.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { AsideMemory, IntakeLedger } from "../../ledger/intake_ledger.ts";
import type { Clock } from "../../system/system.ts";

/** Files that were last changed before `olderThan`, milliseconds since 1970 UTC, and were never admitted. */
export interface AsideNow {
  readonly olderThan: number;
  readonly files: number;
  readonly bytes: number;
}

export type LeftAside = ReturnType<typeof leftAside>;

/** `system` tells the time of the first start: now. */
export function leftAside(
  { name, newerThan, night }: Job,
  { ledger, system, emit }: {
    readonly ledger: Pick<IntakeLedger, "leftAside" | "rememberLeftAside">;
    readonly system: Pick<Clock, "now" | "monotonic">;
    readonly emit: Emit;
  },
) {
  const startedAt = system.now();
  let memory: AsideMemory | null = null;
  let last: Pick<AsideNow, "files" | "bytes"> | null = null;
  let unheeded = false;
  let askedAt = -Infinity;
  const notice = (level: "info" | "warning", text: string) =>
    emit({ type: "notice", level, message: `Job ${printable(name)}: ${text}` });
  const remember = (next: AsideMemory | null) => {
    ledger.rememberLeftAside(name, next);
    memory = next;
  };
  const known = (): AsideMemory | null => {
    if (memory !== null || newerThan === null) return memory;
    const before = ledger.leftAside(name);
    const firstStart = before?.firstStart ?? startedAt;
    const olderThan = oldestCounted(newerThan, firstStart, night.timezone);
    if (before?.olderThan === olderThan) return memory = before;
    remember({ firstStart, olderThan, files: null });
    return memory;
  };
  return {
    /** Remembers the first start with this key, forgets it where the key is not set, and warns of a date in the future. */
    begin(): void {
      if (newerThan !== null) {
        const olderThan = known()?.olderThan ?? 0;
        if (olderThan > startedAt) notice("warning", inFuture(olderThan, night.timezone));
      } else if (ledger.leftAside(name) !== null) remember(null);
    },
    isOld: ({ mtimeMs }: Pick<FileFacts, "mtimeMs">): boolean => mtimeMs < (known()?.olderThan ?? -Infinity),
    /** Some were found that the last scan may not have counted. */
    heard: (): void => void (unheeded = true),
    /** Whether a scan should count them now; true once. */
    wantsScan(): boolean {
      if (!unheeded || system.monotonic() - askedAt < SCANS_APART_MS) return false;
      askedAt = system.monotonic();
      unheeded = false;
      return true;
    },
    /** What a scan has found. */
    scanned(found: Pick<AsideNow, "files" | "bytes">): void {
      const before = known();
      if (before === null) return;
      last = found;
      if (found.files === before.files) return;
      remember({ ...before, files: found.files });
      const more = found.files - (before.files ?? 0);
      if (more <= 0) return;
      const { message, hint } = asideText({ ...before, ...found }, night.timezone, system.now());
      const late = before.files === null ? "" : `found ${more} more older ${more === 1 ? "file" : "files"}. `;
      notice(late === "" ? "info" : "warning", `${late}${message}. ${hint}`);
    },
    /** As the last scan found it; null without the key, and before the first scan. */
    now: (): AsideNow | null => last === null || memory === null ? null : { ...last, olderThan: memory.olderThan },
  };
}

/** What to say, and how they are sent; the time as a clock in the job's time zone shows it. */
export function asideText(
  { files, bytes, olderThan }: AsideNow,
  timezone: string | null,
  now: number,
): { readonly message: string; readonly hint: string } {
  const are = files === 1 ? "is" : "are";
  return {
    message: `${amount(files)} (${formatBytes(bytes)}) last changed before ${
      shownIn(olderThan, timezone)
    } ${are} left aside (newer_than)`,
    hint: olderThan > now
      ? inFuture(olderThan, timezone)
      : `To send ${files === 1 ? "it" : "them"} too, set an earlier date or remove newer_than.`,
  };
}

function inFuture(olderThan: number, timezone: string | null): string {
  return `newer_than is in the future, ${shownIn(olderThan, timezone)}: new images are left aside, too. Correct the date.`;
}

export function asideFailure(olderThan: number, timezone: string | null): FailureRecord {
  const message = `It was last changed before ${shownIn(olderThan, timezone)}, so it is left aside (newer_than)`;
  const hint =
    "To send all older files too, set an earlier date or remove newer_than; to send only this one: image-transfer copy SOURCE DEST";
  return { code: "skipped", next: "never", message, hint };
}

/** `41,200 files` */
export function amount(files: number): string {
  return `${files.toLocaleString("en-US")} ${files === 1 ? "file" : "files"}`;
}

/** A camera card that is copied with its old times takes its time. */
const SCANS_APART_MS = 10_000;
