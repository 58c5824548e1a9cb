/**
 * What rsync's exit codes mean for the whole batch. Where the text on standard error says more than the code (disk full, host key
 * changed), the text decides.
 */
import { lastPart } from "../../domain/names/file_name.ts";
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Fault, Finished } from "../../system/system.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { hostNamed, isConnectionTrouble, type Reached, sshFailure } from "../ssh/ssh_failures.ts";
import { sourceFailureOf } from "../../system/fault.ts";
import { linkName } from "../links.ts";
import type { Upload } from "../method.ts";
import type { FileFailures, Sent } from "../shell/shell_session.ts";

/** Exit codes after which each file must be looked at: some were sent. */
export const PARTIAL: ReadonlySet<number> = new Set([23, 24]);

/** What an rsync that ended with neither 0 nor a partial transfer means. */
export function rsyncFailure(
  finished: Pick<Finished, "code" | "stderr" | "signal">,
  destination: Reached,
): Failure {
  const { code, stderr, signal } = finished;
  const receiver = stderr.split("\n").filter((line) => !line.includes("[sender]")).join("\n");
  const meaning = meaningOf(receiver);
  const said = lastWords(stderr);
  const cannot = `Cannot send to ${destination.name}`;
  // What the file system there said comes before the end of the connection, which is only its consequence.
  const lost = isConnectionTrouble(stderr) ? sshFailure("rsync", finished, destination) : null;
  if (lost && lost.code !== "interrupted") return lost;
  // Of a program that cannot be started at all, "Permission denied" says nothing of the folder there.
  if (meaning && code !== 126 && code !== 127) return failure(meaning, cannot, { said });
  if (
    /command not found|rsync: not found|No such file or directory.*rsync|rsync.*No such file or directory/.test(stderr) &&
    code !== 23
  ) return failure(CAUSES.rsync_missing, cannot, { said });
  const known: Cause | string | undefined = TABLE[code];
  const cause = known === undefined ? CAUSES.ended : typeof known === "string" ? CAUSES.rsync_stopped : known;
  const isOfTheHost = cause.code === "interrupted" || cause.code === "timeout";
  return failure(cause, isOfTheHost ? `Cannot send to ${hostNamed(destination)}` : cannot, {
    said,
    words: { tool: "rsync", status: signal ?? `code ${code}`, what: String(known) },
  });
}

function lastWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const telling = lines.filter((line) => !line.startsWith("rsync error:"));
  // "unexplained error (code 255)" adds nothing to what the code says.
  const summary = lines.at(-1)?.includes("unexplained error") ? "" : lines.at(-1);
  return printable(telling.at(-1) ?? summary ?? "").slice(0, 200);
}

/** By exit code, after rsync(1) and errcode.h of 3.0 to 3.4: a cause, or what rsync did. */
const TABLE: Readonly<Record<number, Cause | string>> = {
  1: CAUSES.rsync_options,
  2: CAUSES.not_rsync,
  3: CAUSES.rsync_folders,
  4: CAUSES.rsync_option_missing,
  5: "the rsync there did not start",
  6: "the rsync there could not write its log",
  10: CAUSES.connection_lost,
  11: "the rsync there could not write",
  12: "the connection, or the rsync there, ended",
  13: "the rsync there aborted",
  14: "an rsync process lost its counterpart",
  15: "rsync crashed",
  16: "rsync was terminated",
  19: "rsync was terminated",
  20: "rsync was terminated",
  21: "an rsync process disappeared",
  22: "rsync ran out of memory",
  25: CAUSES.rsync_deletions,
  30: CAUSES.no_progress,
  35: CAUSES.server_silent,
  124: "the remote shell failed",
  125: "the remote shell was terminated",
  126: CAUSES.rsync_not_startable,
  127: CAUSES.rsync_missing,
  // Ended by a signal, as a shell says it: 128 and its number.
  130: "rsync was interrupted",
  141: CAUSES.connection_lost,
  143: "rsync was terminated",
  255: CAUSES.connection_lost,
};

/** Takes output piece by piece and tells how far which file is. */
export function rsyncProgress(names: ReadonlySet<string>, onBytes: Sent["bytes"]): (text: string) => void {
  let rest = "";
  let current: string | null = null;
  return (text) => {
    const lines = (rest + text).split(/[\r\n]/);
    rest = (lines.pop() ?? "").slice(-4096);
    for (const line of lines) {
      const bytes = /^\s*([\d,.]+)\s+\d+%/.exec(line)?.[1];
      if (bytes !== undefined && current !== null) onBytes(current, Number(bytes.replace(/\D/g, "")));
      else if (names.has(lastPart(line))) current = lastPart(line);
    }
  };
}

/**
 * What standard error says of single sources, by the name of their links.
 *
 * @throws {Failure} where a line tells of the destination as a whole (disk full, read-only…).
 */
export function rsyncFileFailures(
  stderr: string,
  uploads: readonly Upload[],
  destination: { readonly name: string },
): FileFailures {
  const byName = new Map(uploads.map((upload) => [linkName(upload), upload]));
  const failures = new Map<string, Failure>();
  for (const line of stderr.split(/\r?\n/)) {
    const [, quoted, reason = ""] = /"([^"]+)"(.*)$/.exec(line) ?? [];
    const upload = quoted === undefined ? undefined : byName.get(lastPart(quoted));
    if (upload && quoted && isSource(line)) {
      failures.set(lastPart(quoted), toldOfSource(upload.source.path, line, reason));
      continue;
    }
    // What a file system cannot keep is no reason to send the file again.
    if (/failed to set (times|permissions) on/.test(line)) continue;
    const meaning = meaningOf(line);
    if (meaning && !isSource(line)) {
      throw failure(meaning, `Cannot send to ${destination.name}`, { said: printable(line).slice(0, 200) });
    }
  }
  return failures;
}

function isSource(line: string): boolean {
  return /\[sender\]|has vanished|no referent|send_files failed|link_stat|readlink_stat|read errors mapping|non-regular file/
    .test(line);
}

/** Why a source was not sent, from what rsync or scp printed of it. */
export function toldOfSource(path: string, line: string, reason = line): Failure {
  return sourceFailureOf(faultIn(line), path, reason.replace(/^\W+/, "").trim());
}

function faultIn(line: string): Fault {
  if (/vanished|no referent|No such file/.test(line)) return "not_found";
  if (/non-regular|not a regular file|Is a directory/i.test(line)) return "is_a_folder";
  return /Permission denied|Operation not permitted/.test(line) ? "permission" : "other";
}
