/**
 * What a far end of a tar stream that ended with an error means. Every tar says 1 or 2 for nearly everything, so the text
 * decides.
 *
 * @module
 */
import type { SshDestination } from "../../config/settings.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { hostNamed, isConnectionTrouble, sshFailure } from "../ssh/ssh_failures.ts";
import { CONNECTION_LOST, NO_FOLDER, NO_LINES, type ReceiverEnd } from "./tar_receivers.ts";

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
  const said = printable(lines.find((line) => meaningOf(line) !== null) ?? lines.at(-1) ?? "").slice(0, 200);
  const cannot = `Cannot send to ${destination.name}`;
  if (code === 126 || code === 127) return failure(CAUSES.tar_not_startable, cannot, { said });
  if (code === NO_LINES) return failure(CAUSES.tar_input_taken, `${cannot} by tar`, { said });
  // Where ssh has a status of the far end to tell, the connection held, whatever it complained about before.
  const lost = code === CONNECTION_LOST && isConnectionTrouble(stderr);
  // What the file system there said comes before the end of the connection, which is only its consequence.
  const meaning = meaningOf(stderr);
  if (meaning && !lost) return failure(meaning, cannot, { said });
  if (code === NO_FOLDER) return failure(CAUSES.temporary_folder_gone, cannot, { said });
  if (code === CONNECTION_LOST) return sshFailure("ssh", { code, stderr }, destination);
  return failure(code === 0 ? CAUSES.tar_ended_early : CAUSES.ended_there, `Cannot send to ${hostNamed(destination)}`, {
    said,
    words: { tool: "tar", status: `code ${code}` },
  });
}
