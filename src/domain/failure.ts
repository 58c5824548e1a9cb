/**
 * A failure that a person can act on: what happened, what the daemon does next, and what would help.
 * Everything else that is thrown is an internal error and keeps its stack.
 *
 * @module
 */

/** What the daemon does about a failure: try again later, hold the whole destination, or leave this file to a person. */
export type NextStep = "later" | "hold" | "never";

/** Every kind of failure there is. The code decides the next step unless the thrower knows better. */
export type FailureCode = keyof typeof NEXT_STEP;

const NEXT_STEP = {
  // The source
  source_changed: "later",
  source_gone: "never",
  source_unreadable: "later",
  source_corrupt: "never",
  superseded: "never",
  bad_name: "never",
  header_missing: "never",
  // The connection
  unreachable: "later",
  interrupted: "later",
  timeout: "later",
  stopped: "later",
  // The destination
  host_key_unknown: "hold",
  host_key_changed: "hold",
  certificate_refused: "hold",
  login_refused: "hold",
  disk_full: "hold",
  read_only: "hold",
  permission_denied: "hold",
  device_missing: "hold",
  folder_changed: "hold",
  tool_missing: "hold",
  not_a_folder: "hold",
  staging_unsafe: "hold",
  loop: "hold",
  // The file at its destination
  mismatch: "later",
  exists: "never",
  skipped: "never",
  gone: "never",
  damaged: "never",
  vanished: "never",
  removed: "never",
  name_refused: "never",
  link_refused: "never",
  // This side
  local_disk_full: "hold",
  configuration: "never",
  internal: "later",
} as const satisfies Record<string, NextStep>;

/** A failure as it is stored and shown. */
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
    this.next = options.next ?? NEXT_STEP[code];
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
    next: NEXT_STEP.internal,
    message: `Internal error: ${message}`,
    hint: "This is a bug in image-transfer: please report it with the stack trace from the log.",
  };
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
export function isTrouble(failure: FailureRecord): boolean {
  return !NO_TROUBLE.has(failure.code);
}

const NO_TROUBLE: ReadonlySet<FailureCode> = new Set(["superseded", "skipped", "gone", "removed"]);
const OUTAGES: ReadonlySet<FailureCode> = new Set(["unreachable", "interrupted", "timeout", "stopped"]);
