/**
 * What a failure of a destination means, in the words of headline, status, Trouble and monitors: short, without paths.
 *
 * @module
 */
import type { FailureCode } from "../../domain/failure.ts";

/** Follows the name of a destination, or the names of several; and what a person can do. */
interface Cause {
  readonly is: string;
  readonly are: string;
  readonly advice: string;
}

/** `are` is `is` unless given. */
function cause(is: string, advice: string, are = is): Cause {
  return { is, are, advice };
}

const LATER = cause(
  "cannot be reached",
  "Delivery resumes automatically when it responds. If this takes long, check the network.",
);
const HELD = cause("is on hold", "See Trouble for the reason and what to do.", "are on hold");

const CAUSES: Partial<Readonly<Record<FailureCode, Cause>>> = {
  disk_full: cause("is full", "Free some space; delivery resumes automatically.", "are full"),
  read_only: cause("is read-only", "Mount it for writing; delivery resumes automatically.", "are read-only"),
  permission_denied: cause(
    "does not allow writing",
    "Give the account write permission there; delivery resumes automatically.",
    "do not allow writing",
  ),
  device_missing: cause(
    "has lost its disk",
    "Connect the disk and mount it; delivery resumes automatically.",
    "have lost their disks",
  ),
  folder_changed: cause(
    "has another base path than the files delivered to it",
    "To choose what becomes of those files, run: image-transfer resume DEST",
    "have other base paths than the files delivered to them",
  ),
  not_a_folder: cause(
    "has a file in place of its folder",
    "Move that file away, then retry.",
    "have a file in place of a folder",
  ),
  staging_unsafe: cause(
    "has something else in place of our temporary folder",
    "Another account may have put it there: see Trouble.",
    "have something else in place of our temporary folders",
  ),
  host_key_unknown: cause(
    "is not trusted yet",
    "To check it and accept it, run image-transfer doctor --enroll, or log in once with ssh.",
    "are not trusted yet",
  ),
  host_key_changed: cause(
    "has a different host key than before",
    "Find out why before you accept it: see Trouble.",
    "have different host keys than before",
  ),
  certificate_refused: cause(
    "has a certificate that is not trusted",
    "Check the certificate: see Trouble.",
    "have certificates that are not trusted",
  ),
  login_refused: cause(
    "refuses the login",
    "Check user, key and password there. To test the login, run: image-transfer doctor",
    "refuse the login",
  ),
  tool_missing: cause("cannot be used: a program is missing", "See Trouble for which one."),
  loop: cause(
    "leads back to a watched folder",
    "Nothing is sent there. Choose another folder for it in the configuration.",
    "lead back to a watched folder",
  ),
  local_disk_full: cause(
    "cannot be sent to: this computer's disk is full",
    "Free some space on this computer; delivery resumes automatically.",
  ),
  unreachable: LATER,
  timeout: LATER,
  interrupted: LATER,
  stopped: LATER,
};

/** `usb-stick is full`, and what to do about it; `names` are one destination, or several in one phrase. */
export function causeOf(code: FailureCode, names: string, isOne: boolean): { readonly text: string; readonly advice: string } {
  const { is, are, advice } = CAUSES[code] ?? HELD;
  return { text: `${names} ${isOne ? is : are}`, advice };
}

const OWN: Partial<Readonly<Record<FailureCode, { readonly text: string; readonly advice: string }>>> = {
  local_disk_full: {
    text: "This computer's disk with the state directory is full or failing",
    advice: "Free some space on it; delivery resumes automatically.",
  },
  read_only: {
    text: "The disk with the state directory has become read-only",
    advice: "Check that disk, mount it for writing, and start image-transfer again.",
  },
  permission_denied: {
    text: "The state directory cannot be written",
    advice: "Make it writable for this account; delivery resumes automatically.",
  },
  timeout: {
    text: "Another program keeps the ledger locked",
    advice: "Close it; delivery resumes automatically.",
  },
  device_missing: {
    text: "The state directory was emptied or is on another disk",
    advice: "Mount the right disk. The service starts image-transfer again.",
  },
};

/** What keeps the daemon itself from working, and what to do about it. */
export function ownCauseOf(code: FailureCode): { readonly text: string; readonly advice: string } {
  return OWN[code] ??
    { text: "The ledger is damaged", advice: "The next start repairs it. The service starts image-transfer again." };
}

const FAILED: Partial<Readonly<Record<FailureCode, string>>> = {
  exists: "A different file of that name exists at the destination",
  damaged: "Damaged at the destination since delivery",
  vanished: "No longer at the destination",
  mismatch: "The checksum at the destination differs",
  name_refused: "The destination does not accept the name",
  bad_name: "The name cannot be used",
  source_gone: "The file was removed before it was sent",
  source_corrupt: "The file is damaged",
  source_unreadable: "The file cannot be read",
  source_changed: "The file kept changing while it was sent",
  header_missing: "The header lacks values that the folder layout needs",
  configuration: "The configuration does not allow it",
};

/** Why deliveries failed, as a heading; null where each has its own reason. */
export function failedBecause(code: FailureCode): string | null {
  return FAILED[code] ?? null;
}
