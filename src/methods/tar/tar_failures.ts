/**
 * What a far end of a tar stream that ended with an error means. Every tar says 1 or 2 for nearly everything, so the text
 * decides.
 *
 * @module
 */
import type { SshDestination } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { hostNamed, isConnectionTrouble, sshFailure } from "../ssh/ssh_failures.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { NO_FOLDER, NO_LINES, type ReceiverEnd } from "./tar_receivers.ts";

/**
 * True where the tar there, GNU's, complains of nothing but times and modes that the file system does not keep: no reason to send the
 * files again.
 */
export function isOfAttributesOnly({ code, stderr }: ReceiverEnd): boolean {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line !== "" && !SUMMARY.test(line));
  return code === 2 && lines.length > 0 && lines.every((line) => ATTRIBUTES.test(line));
}

const ATTRIBUTES = /: Cannot (change mode to \S+|utime): (Operation not permitted|Operation not supported|Permission denied)$/;
const SUMMARY = /Exiting with failure status due to previous errors$/;

/** Never for one file alone: what became of each is looked up at the destination. */
export function tarFailure({ code, stderr }: ReceiverEnd, destination: SshDestination): Failure {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const told = printable(lines.find((line) => meaningOf(line) !== null) ?? lines.at(-1) ?? "").slice(0, 200);
  const detail = told === "" ? "" : ` (${told})`;
  const cannot = `Cannot send to ${destination.name}`;
  if (code === 126 || code === 127) {
    return new Failure("tool_missing", `${cannot}: tar cannot be started there${detail}`, {
      hint: OTHER_METHOD("Install tar there"),
    });
  }
  if (code === NO_LINES) {
    return new Failure("tool_missing", `${cannot} by tar: a start-up file of the login shell there reads what is sent${detail}`, {
      hint: OTHER_METHOD("Let the start-up files of that account (~/.bashrc, ~/.zshenv, ~/.cshrc) read only from a terminal"),
    });
  }
  // Where ssh has a status of the far end to tell, the connection held, whatever it complained about before.
  const lost = code === CONNECTION_LOST && isConnectionTrouble(stderr);
  // What the file system there said comes before the end of the connection, which is only its consequence.
  const meaning = meaningOf(stderr);
  if (meaning && !lost) {
    return new Failure(meaning.code, `${cannot}: ${meaning.reason}${detail}`, { hint: meaning.hint });
  }
  if (code === NO_FOLDER) {
    return new Failure("device_missing", `${cannot}: the temporary folder there is gone${detail}`, {
      hint: "Check whether the disk there is still mounted.",
    });
  }
  if (code === CONNECTION_LOST) return sshFailure("ssh", { code, stderr }, destination);
  const ended = code === 0 ? "tar ended before it had read everything" : `tar ended with code ${code}`;
  return new Failure("interrupted", `Cannot send to ${hostNamed(destination)}: ${ended}${detail}`, {
    hint: "It is retried automatically. If it persists, check the disk and the log of that computer.",
  });
}

/** Exit status of ssh itself. */
const CONNECTION_LOST = 255;

const OTHER_METHOD = (help: string) => `${help}, or set transfer_method to sftp or auto.`;
