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
import { NO_FOLDER, type ReceiverEnd } from "./tar_receivers.ts";

/** Never for one file alone: what became of each is looked up at the destination. */
export function tarFailure({ code, stderr }: ReceiverEnd, destination: SshDestination): Failure {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const told = printable(lines.find((line) => meaningOf(line) !== null) ?? lines.at(-1) ?? "").slice(0, 200);
  const detail = told === "" ? "" : ` (${told})`;
  const cannot = `Cannot send to ${destination.name}`;
  // What the file system there said comes before the end of the connection, which is only its consequence.
  const meaning = meaningOf(stderr);
  if (meaning && !isConnectionTrouble(stderr)) {
    return new Failure(meaning.code, `${cannot}: ${meaning.reason}${detail}`, { hint: meaning.hint });
  }
  if (code === NO_FOLDER) {
    return new Failure("device_missing", `${cannot}: the temporary folder there is gone${detail}`, {
      hint: "Check whether the disk there is still mounted.",
    });
  }
  if (code === 126 || code === 127) {
    return new Failure("tool_missing", `${cannot}: tar cannot be started there${detail}`, {
      hint: "Install tar there, or set transfer_method to sftp or auto.",
    });
  }
  if (code === 255 || isConnectionTrouble(stderr)) return sshFailure("ssh", { code, stderr }, destination);
  return new Failure("interrupted", `Cannot send to ${hostNamed(destination)}: tar ended with code ${code}${detail}`, {
    hint: "It is retried automatically. If it persists, check the disk and the log of that computer.",
  });
}
