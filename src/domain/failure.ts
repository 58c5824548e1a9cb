/**
 * A failure that a person can act on: what happened, what the daemon does next, and what would help.
 * Everything else that is thrown is an internal error and keeps its stack.
 */

/** What the daemon does about a failure: try again later, hold the whole destination, or leave this file to a person. */
export type NextStep = "later" | "hold" | "never";

export type FailureCode = keyof typeof CODES;

/** What a code means, in the words of headline, status, Problems and monitors: short, without paths. */
interface Code {
  readonly next: NextStep;
  /** Follows the name of a destination, or the names of several where that differs; and what a person can do. */
  readonly destination?: readonly [is: string, advice: string, are?: string];
  /** Why deliveries failed, as a heading; without it, each has its own reason. */
  readonly failed?: string;
  /** What keeps the daemon itself from working, and what a person can do. */
  readonly daemon?: readonly [text: string, advice: string];
}

const SILENT = [
  "cannot be reached",
  "Delivery resumes automatically when it responds. If this takes long, check the network.",
] as const;

const CODES = {
  // The source
  source_changed: { next: "later", failed: "The file kept changing while it was sent" },
  source_gone: { next: "never", failed: "The file was removed before it was sent" },
  source_unreadable: { next: "later", failed: "The file cannot be read" },
  source_corrupt: { next: "never", failed: "The file is damaged" },
  superseded: { next: "never" },
  bad_name: { next: "never", failed: "The name cannot be used" },
  header_missing: { next: "never", failed: "The header lacks values that the folder layout needs" },
  // The connection
  unreachable: { next: "later", destination: SILENT },
  interrupted: { next: "later", destination: SILENT },
  timeout: {
    next: "later",
    destination: SILENT,
    daemon: ["Another program keeps the ledger locked", "Close it; delivery resumes automatically."],
  },
  stopped: { next: "later", destination: SILENT },
  // The destination
  host_key_unknown: {
    next: "hold",
    destination: [
      "is not trusted yet",
      "To check it and accept it, run image-transfer doctor --enroll, or log in once with ssh.",
      "are not trusted yet",
    ],
  },
  host_key_changed: {
    next: "hold",
    destination: [
      "has a different host key than before",
      "Find out why before you accept it: see Trouble.",
      "have different host keys than before",
    ],
  },
  certificate_refused: {
    next: "hold",
    destination: [
      "has a certificate that is not trusted",
      "Check the certificate: see Trouble.",
      "have certificates that are not trusted",
    ],
  },
  login_refused: {
    next: "hold",
    destination: [
      "refuses the login",
      "Check user, key and password there. To test the login, run: image-transfer doctor",
      "refuse the login",
    ],
  },
  disk_full: {
    next: "hold",
    destination: ["is full", "Free some space; delivery resumes automatically.", "are full"],
  },
  read_only: {
    next: "hold",
    destination: ["is read-only", "Mount it for writing; delivery resumes automatically.", "are read-only"],
    daemon: [
      "The disk with the state directory has become read-only",
      "Check that disk, mount it for writing, and start image-transfer again.",
    ],
  },
  permission_denied: {
    next: "hold",
    destination: [
      "does not allow writing",
      "Give the account write permission there; delivery resumes automatically.",
      "do not allow writing",
    ],
    daemon: [
      "The state directory cannot be written",
      "Make it writable for this account; delivery resumes automatically.",
    ],
  },
  device_missing: {
    next: "hold",
    destination: [
      "has lost its disk",
      "Connect the disk and mount it; delivery resumes automatically.",
      "have lost their disks",
    ],
    daemon: [
      "The state directory was emptied or is on another disk",
      "Mount the right disk. The service starts image-transfer again.",
    ],
  },
  folder_changed: {
    next: "hold",
    destination: [
      "has another base path than the files delivered to it",
      "To choose what becomes of those files, run: image-transfer resume DEST",
      "have other base paths than the files delivered to them",
    ],
  },
  tool_missing: { next: "hold", destination: ["cannot be used: a program is missing", "See Trouble for which one."] },
  not_a_folder: {
    next: "hold",
    destination: [
      "has a file in place of its folder",
      "Move that file away, then retry.",
      "have a file in place of a folder",
    ],
  },
  staging_unsafe: {
    next: "hold",
    destination: [
      "has something else in place of our temporary folder",
      "Another account may have put it there: see Trouble.",
      "have something else in place of our temporary folders",
    ],
  },
  loop: {
    next: "hold",
    destination: [
      "leads back to a watched folder",
      "Nothing is sent there. Choose another folder for it in the configuration.",
      "lead back to a watched folder",
    ],
  },
  // The file at its destination
  mismatch: { next: "later", failed: "The checksum at the destination differs" },
  exists: { next: "never", failed: "A different file of that name exists at the destination" },
  skipped: { next: "never" },
  gone: { next: "never" },
  damaged: { next: "never", failed: "Damaged at the destination since delivery" },
  vanished: { next: "never", failed: "No longer at the destination" },
  removed: { next: "never" },
  name_refused: { next: "never", failed: "The destination does not accept the name" },
  link_refused: { next: "never" },
  // This side
  local_disk_full: {
    next: "hold",
    destination: [
      "cannot be sent to: this computer's disk is full",
      "Free some space on this computer; delivery resumes automatically.",
    ],
    daemon: [
      "This computer's disk with the state directory is full or failing",
      "Free some space on it; delivery resumes automatically.",
    ],
  },
  configuration: { next: "never", failed: "The configuration does not allow it" },
  internal: { next: "later" },
} as const satisfies Record<string, Code>;

const MEANING: Readonly<Record<FailureCode, Code>> = CODES;

export const FAILURE_CODES = Object.keys(CODES) as readonly FailureCode[];

/** `usb-stick is full`, and what to do about it; `names` are one destination, or several in one phrase. */
export function causeOf(code: FailureCode, names: string, isOne: boolean): { readonly text: string; readonly advice: string } {
  const [is, advice, are = is] = MEANING[code].destination ??
    ["is on hold", "See Trouble for the reason and what to do.", "are on hold"];
  return { text: `${names} ${isOne ? is : are}`, advice };
}

/** What keeps the daemon itself from working, and what to do about it. */
export function ownCauseOf(code: FailureCode): { readonly text: string; readonly advice: string } {
  const [text, advice] = MEANING[code].daemon ??
    ["The ledger is damaged", "The next start repairs it. The service starts image-transfer again."];
  return { text, advice };
}

/** Why deliveries failed, as a heading; null where each has its own reason. */
export function failedBecause(code: FailureCode): string | null {
  return MEANING[code].failed ?? null;
}

export interface FailureRecord {
  readonly code: FailureCode;
  readonly next: NextStep;
  /** One sentence without a full stop; text from outside in it may hold anything. */
  readonly message: string;
  /** What would help; empty where there is nothing to say. */
  readonly hint: string;
}

/**
 * Thrown where a person can act on what went wrong.
 * The message reads `action, thing, reason`: `Cannot send "a.fits" to nas: the disk is full`.
 */
export class Failure extends Error implements FailureRecord {
  override readonly name = "Failure";
  readonly next: NextStep;
  readonly hint: string;

  constructor(
    readonly code: FailureCode,
    message: string,
    options: { hint?: string; next?: NextStep; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.next = options.next ?? CODES[code].next;
    this.hint = options.hint ?? "";
  }
}

/** The plain data of anything thrown; what is no {@linkcode Failure} is "internal" and is tried again later. */
export function failureRecord(thrown: unknown): FailureRecord {
  if (thrown instanceof Failure) {
    return { code: thrown.code, next: thrown.next, message: thrown.message, hint: thrown.hint };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    code: "internal",
    next: CODES.internal.next,
    message: `Internal error: ${message}`,
    hint: "This is a bug in image-transfer: please report it with the stack trace from the log.",
  };
}

/** What people and scripts are told of a failure. */
export function toldOf({ code, message, hint }: FailureRecord): Omit<FailureRecord, "next"> {
  return { code, message, hint };
}

/** A failure and what helps, in one line. */
export function withHint({ message, hint }: Pick<FailureRecord, "message" | "hint">): string {
  return hint === "" ? message : `${message}. ${hint}`;
}

/** True where the failure says nothing about the file: the way or the destination is at fault, so no attempt is used up. */
export function isOutage(failure: FailureRecord): boolean {
  return failure.next === "hold" || OUTAGES.has(failure.code);
}

/**
 * True where a person should look. A file that was replaced by a newer version before it could be sent, or that
 * `on_conflict: skip` left alone, is listed but is no trouble; nor is one that was delivered and that a person knows to be gone, or
 * that a mirror removed.
 */
export function isTrouble(failure: Pick<FailureRecord, "code">): boolean {
  return !NO_TROUBLE.has(failure.code);
}

const NO_TROUBLE: ReadonlySet<FailureCode> = new Set(["superseded", "skipped", "gone", "removed"]);
const OUTAGES: ReadonlySet<FailureCode> = new Set(["unreachable", "interrupted", "timeout", "stopped"]);

/**
 * Milliseconds to wait after the `attempt`-th failure in a row (from 1), never in step with others. Grows from `baseMs` by doubling up to `capMs`, each time
 * between three quarters and five quarters of that, as `random` in [0, 1) says; never above the cap.
 */
export function backOff(attempt: number, baseMs: number, random: number, capMs = FIVE_MINUTES): number {
  if (!(baseMs > 0)) return 0;
  const doublings = Math.max(0, Math.min(attempt - 1, 60));
  const steady = Math.min(baseMs * 2 ** doublings, capMs);
  return Math.round(Math.min(steady * (0.75 + random / 2), capMs));
}

const FIVE_MINUTES = 5 * 60 * 1000;
