/**
 * The one table from rsync's exit codes to a Failure of the whole batch. Where the text on standard error says more than
 * the code (disk full, host key changed), the text decides.
 *
 * @module
 */
import { Failure, type FailureCode, type NextStep } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Finished } from "../../system/system.ts";
import { SILENCE_STARTUP } from "../shell/startup_output.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { hostNamed, isConnectionTrouble, type Reached, sshFailure } from "../ssh/ssh_failures.ts";

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
  const told = lastWords(stderr);
  const cannot = `Cannot send to ${destination.name}`;
  const cut = `Cannot send to ${hostNamed(destination)}`;
  // What the file system there said comes before the end of the connection, which is only its consequence.
  const lost = isConnectionTrouble(stderr) ? sshFailure("rsync", finished, destination) : null;
  if (lost && lost.code !== "interrupted") return lost;
  // Of a program that cannot be started at all, "Permission denied" says nothing of the folder there.
  if (meaning && code !== 126 && code !== 127) {
    return new Failure(meaning.code, `${cannot}: ${meaning.reason} (${told})`, { hint: meaning.hint });
  }
  if (
    /command not found|rsync: not found|No such file or directory.*rsync|rsync.*No such file or directory/.test(stderr) &&
    code !== 23
  ) {
    return new Failure("tool_missing", `${cannot}: rsync is not installed there (${told})`, { hint: NO_RSYNC });
  }
  const row = TABLE[code];
  if (!row) {
    return new Failure("interrupted", `${cut}: rsync ended with ${signal ?? `code ${code}`}${told ? ` (${told})` : ""}`, {
      hint: AGAIN,
    });
  }
  const [failureCode, reason, hint, next] = row;
  const what = failureCode === "interrupted" || failureCode === "timeout" ? cut : cannot;
  return new Failure(failureCode, `${what}: ${reason}${told ? ` (${told})` : ""}`, { hint, ...(next ? { next } : {}) });
}

function lastWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const telling = lines.filter((line) => !line.startsWith("rsync error:"));
  // "unexplained error (code 255)" adds nothing to the row of the code.
  const summary = lines.at(-1)?.includes("unexplained error") ? "" : lines.at(-1);
  return printable(telling.at(-1) ?? summary ?? "").slice(0, 200);
}

const AGAIN = "It is retried automatically.";
const NO_RSYNC = "Install rsync there, or set transfer_method to sftp or auto.";
const OPTIONS = "Check rsync_options: both ends must know them. `image-transfer doctor` shows both versions.";
const LOOK = "It is retried automatically. If it persists, check the load, the memory and the log of that computer.";

/** By exit code, after rsync(1) and errcode.h of 3.0 to 3.4. */
const TABLE: Readonly<Record<number, readonly [FailureCode, string, string, NextStep?]>> = {
  1: ["configuration", "rsync does not understand its options", OPTIONS, "hold"],
  2: [
    "tool_missing",
    "the program there is not rsync, or the login shell printed text before it",
    `${SILENCE_STARTUP} Very old versions of rsync need an update, or transfer_method sftp.`,
  ],
  3: [
    "not_a_folder",
    "rsync could not use its folders",
    "Check remote_base_path, and the folder for temporary files in state_directory.",
  ],
  4: ["configuration", "one end of rsync does not know an option", OPTIONS, "hold"],
  5: ["interrupted", "the rsync there did not start", LOOK],
  6: ["interrupted", "the rsync there could not write its log", LOOK],
  10: ["interrupted", "the connection broke", AGAIN],
  11: ["interrupted", "the rsync there could not write", LOOK],
  12: ["interrupted", "the connection, or the rsync there, ended", LOOK],
  13: ["interrupted", "the rsync there aborted", LOOK],
  14: ["interrupted", "an rsync process lost its counterpart", LOOK],
  15: ["interrupted", "rsync crashed", LOOK],
  16: ["interrupted", "rsync was terminated", LOOK],
  19: ["interrupted", "rsync was terminated", LOOK],
  20: ["interrupted", "rsync was terminated", AGAIN],
  21: ["interrupted", "an rsync process disappeared", LOOK],
  22: ["interrupted", "rsync ran out of memory", LOOK],
  25: ["configuration", "rsync stopped at a limit for deletions", OPTIONS, "hold"],
  30: ["timeout", "no progress for too long", "It is retried automatically. See transfer_timeout_seconds."],
  35: ["timeout", "the remote end did not respond in time", AGAIN],
  124: ["interrupted", "the remote shell failed", LOOK],
  125: ["interrupted", "the remote shell was terminated", LOOK],
  126: ["tool_missing", "the rsync there cannot be run", NO_RSYNC],
  127: ["tool_missing", "rsync is not installed there", NO_RSYNC],
  // Ended by a signal, as a shell says it: 128 and its number.
  130: ["interrupted", "rsync was interrupted", AGAIN],
  141: ["interrupted", "the connection ended", AGAIN],
  143: ["interrupted", "rsync was asked to stop", AGAIN],
  255: ["interrupted", "the connection ended", AGAIN],
};
