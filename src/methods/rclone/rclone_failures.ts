/**
 * The one table from what rclone and the stores behind it say to a Failure.
 *
 * @module
 */
import { Failure, type FailureCode, type NextStep } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";

interface Meaning {
  readonly code: FailureCode;
  readonly reason: string;
  readonly hint: string;
  readonly next?: NextStep;
}

/** The Failure for what rclone says. `what` reads `Cannot <what>: reason`. */
export function rcloneFailure(said: string, what: string): Failure {
  const known: Meaning | undefined = TABLE.find(([pattern]) => pattern.test(said))?.[1];
  const { code, reason, hint, next }: Meaning = known ?? meaningOf(said) ?? UNKNOWN;
  const words = printable(withoutNoise(said)).slice(0, 400);
  return new Failure(code, `Cannot ${what}: ${reason} (rclone says: ${words})`, { hint, ...(next ? { next } : {}) });
}

/** Nothing is at the path that was asked for. */
export function isNotFound(said: string): boolean {
  return /directory not found|object not found|no such file|404 Not Found|NoSuchKey|is a file not a directory|not a directory/i
    .test(said);
}

function withoutNoise(said: string): string {
  return said.trim().split("\n").slice(-3).join("; ").replace(/,? ?(RequestID|HostID): [^,]*/g, "").replace(/\s+/g, " ");
}

const LOGIN: Meaning = {
  code: "login_refused",
  reason: "the login is refused",
  hint: 'Check the keys or the password of the remote with "rclone config", then "rclone lsd" with the remote.',
};
const RIGHTS: Meaning = {
  code: "permission_denied",
  reason: "permission denied",
  hint:
    "Allow this account to list, read, write and delete below the base path (for S3: ListBucket, GetObject, PutObject, DeleteObject).",
};
const UNREACHABLE: Meaning = {
  code: "unreachable",
  reason: "the store cannot be reached",
  hint: "Check the network, and the endpoint of the remote in rclone's configuration. It is retried automatically.",
};

const BROKEN: Meaning = {
  code: "unreachable",
  reason: "the store reports an error of its own",
  hint: "The store or its disk may be overloaded, broken or read-only: see its log. It is retried automatically.",
};

const UNKNOWN: Meaning = { code: "interrupted", reason: "it failed", hint: "It is retried automatically." };

/** The first that fits counts. */
const TABLE: readonly (readonly [RegExp, Meaning])[] = [
  [/didn't find section in config file|config file .* not found/i, {
    code: "configuration",
    next: "hold",
    reason: "rclone has no such remote",
    hint:
      'Create the remote with "rclone config" as the account that runs image-transfer, or set rclone_config. "rclone listremotes" shows what there is.',
  }],
  [/couldn't decrypt configuration|unable to decrypt|RCLONE_CONFIG_PASS|password.*config(uration)? file/i, {
    code: "configuration",
    next: "hold",
    reason: "rclone's configuration is encrypted, and its password is not known",
    hint: "Set RCLONE_CONFIG_PASS in the environment of the service, or use another file with rclone_config.",
  }],
  [/failed to (load|read) config|config file.*(permission denied|parse)/i, {
    code: "configuration",
    next: "hold",
    reason: "rclone cannot read its configuration",
    hint: 'Check rclone_config; "rclone config file" shows the usual place.',
  }],
  [/unknown flag|unknown command/i, {
    code: "tool_missing",
    reason: "this rclone is too old",
    hint: "Install rclone 1.73 or later from rclone.org/install.",
  }],
  [/knownhosts: key is unknown/i, {
    code: "host_key_unknown",
    reason: "the host key of the server is not known",
    hint: "Add it to the file that known_hosts_file of the remote names (ssh-keyscan shows it; check its fingerprint).",
  }],
  [/knownhosts: key mismatch|host key mismatch/i, {
    code: "host_key_changed",
    reason: "the host key of the server has changed",
    hint: "Find out why before you replace it in the file that known_hosts_file of the remote names.",
  }],
  [
    /InvalidAccessKeyId|XAdminUserNotFound|SignatureDoesNotMatch|InvalidToken|ExpiredToken|AuthorizationHeaderMalformed|401 Unauthorized|StatusCode: 401|unable to authenticate|couldn't fetch token|invalid_grant|NoCredentialProviders|failed to refresh cached credentials|empty token found/i,
    LOGIN,
  ],
  // Stores refuse what was signed a quarter of an hour ago, or later than now.
  [/RequestTimeTooSkewed|RequestExpired|request has expired|difference between the request time/i, {
    code: "login_refused",
    reason: "the clock of this computer and that of the store differ too much",
    hint: 'Set the clock of this computer ("timedatectl set-ntp true" on Linux), or that of the server.',
  }],
  [/x509:|certificate (signed by unknown|has expired|is not)/i, {
    code: "certificate_refused",
    reason: "the certificate of the store is not accepted",
    hint:
      "Check the endpoint of the remote, the certificate of the server, and the clock of this computer. A CA of your own goes into RCLONE_CA_CERT in the environment of the service.",
  }],
  [/NoSuchBucket|bucket .*(doesn't|does not) exist/i, {
    code: "device_missing",
    reason: "there is no such bucket",
    hint: "Create the bucket, or correct remote_base_path.",
  }],
  [/QuotaExceeded|storageQuotaExceeded|quota|insufficient storage|StatusCode: 507|507 |InsufficientCapacity|no space left/i, {
    code: "disk_full",
    reason: "the store or its quota is full",
    hint: "Free some space there; delivery resumes automatically.",
  }],
  [/ReadOnly|read-only/i, {
    code: "read_only",
    reason: "the store cannot be written",
    hint: "Make it writable; delivery resumes automatically.",
  }],
  [/AccessDenied|AllAccessDisabled|403 Forbidden|StatusCode: 403|permission denied/i, RIGHTS],
  // SFTP servers say no more of a disk that is read-only.
  [/SSH_FX_FAILURE|sftp: "Failure"/i, {
    code: "permission_denied",
    reason: "the server refuses it",
    hint: "Check the permissions of the remote account, and that the disk there can be written.",
  }],
  [/StatusCode: 50[0234]|50[0234] [A-Z]|SlowDown|InternalError/, BROKEN],
  [
    /connection refused|no such host|no route to host|network is unreachable|i\/o timeout|TLS handshake|deadline exceeded|server misbehaving|lookup .* on|couldn't connect|connection reset|broken pipe|unexpected EOF|: EOF|request send failed|use of closed network connection|pacer/i,
    UNREACHABLE,
  ],
];
