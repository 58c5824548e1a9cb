/** What rclone and the stores behind it say, as a Failure. */
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";

/** The Failure for what rclone says. `what` reads `Cannot <what>: reason`. */
export function rcloneFailure(said: string, what: string): Failure {
  const known: Cause | undefined = TABLE.find(([pattern]) => pattern.test(said))?.[1];
  const words = printable(withoutNoise(said)).slice(0, 400);
  return failure(known ?? meaningOf(said) ?? CAUSES.failed, `Cannot ${what}`, { said: `rclone says: ${words}` });
}

/** Nothing is at the path that was asked for. */
export function isNotFound(said: string): boolean {
  return /directory not found|object not found|no such file|404 Not Found|NoSuchKey|is a file not a directory|not a directory/i
    .test(said);
}

function withoutNoise(said: string): string {
  return said.trim().split("\n").slice(-3).join("; ").replace(/,? ?(RequestID|HostID): [^,]*/g, "").replace(/\s+/g, " ");
}

/** The first that fits counts. */
const TABLE: readonly (readonly [RegExp, Cause])[] = [
  [/didn't find section in config file|config file .* not found/i, CAUSES.rclone_no_remote],
  [
    /couldn't decrypt configuration|unable to decrypt|RCLONE_CONFIG_PASS|password.*config(uration)? file/i,
    CAUSES.rclone_config_encrypted,
  ],
  [/failed to (load|read) config|config file.*(permission denied|parse)/i, CAUSES.rclone_config_unreadable],
  [/unknown flag|unknown command/i, CAUSES.rclone_too_old],
  [/knownhosts: key is unknown/i, CAUSES.rclone_host_key_unknown],
  [/knownhosts: key mismatch|host key mismatch/i, CAUSES.rclone_host_key_changed],
  [
    /InvalidAccessKeyId|XAdminUserNotFound|SignatureDoesNotMatch|InvalidToken|ExpiredToken|AuthorizationHeaderMalformed|401 Unauthorized|StatusCode: 401|unable to authenticate|couldn't fetch token|invalid_grant|NoCredentialProviders|failed to refresh cached credentials|empty token found/i,
    CAUSES.rclone_login_refused,
  ],
  [/RequestTimeTooSkewed|RequestExpired|request has expired|difference between the request time/i, CAUSES.store_clock],
  [/x509:|certificate (signed by unknown|has expired|is not)/i, CAUSES.store_certificate],
  [/NoSuchBucket|bucket .*(doesn't|does not) exist/i, CAUSES.no_bucket],
  [
    /QuotaExceeded|storageQuotaExceeded|quota|insufficient storage|StatusCode: 507|507 |InsufficientCapacity|no space left/i,
    CAUSES.full,
  ],
  [/ReadOnly|read-only/i, CAUSES.store_read_only],
  [/AccessDenied|AllAccessDisabled|403 Forbidden|StatusCode: 403|permission denied/i, CAUSES.store_denied],
  // SFTP servers say no more of a disk that is read-only.
  [/SSH_FX_FAILURE|sftp: "Failure"/i, CAUSES.refused_there],
  [/StatusCode: 50[0234]|50[0234] [A-Z]|SlowDown|InternalError/, CAUSES.store_error],
  [
    /connection refused|no such host|no route to host|network is unreachable|i\/o timeout|TLS handshake|deadline exceeded|server misbehaving|lookup .* on|couldn't connect|connection reset|broken pipe|unexpected EOF|: EOF|request send failed|use of closed network connection|pacer/i,
    CAUSES.store_unreachable,
  ],
];
