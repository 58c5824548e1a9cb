/**
 * What `doctor` and `config validate` say of `growing_files` where it has no effect.
 *
 * @module
 */
import { SENDS_GROWING } from "../../config/schema/schema_methods.ts";
import type { Job } from "../../config/settings.ts";
import { type Finding, warning } from "./finding.ts";

/** One for each destination that files are sent to only once they are finished. */
export function checkGrowing({ name, growingFiles, destinations }: Job): Finding[] {
  if (growingFiles === null) return [];
  return destinations.flatMap((destination) => {
    const { transport: { method }, verify } = destination;
    const because = !SENDS_GROWING.has(method)
      ? `transfer_method: ${method}`
      : verify !== "checksum"
      ? `verify_transfer: ${verify}`
      : null;
    if (because === null) return [];
    const what = `growing_files has no effect for ${destination.name} with ${because}`;
    const hint = "Files are sent there once they are finished. " +
      (verify === "checksum"
        ? "Use local, rsync, sftp or tar to send them earlier."
        : "Set verify_transfer: true to send them earlier.");
    return [warning(`job ${name}`, what, hint)];
  });
}
