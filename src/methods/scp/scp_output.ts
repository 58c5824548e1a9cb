/**
 * Reads what scp says on its standard error; its exit code is 1 for nearly everything.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import type { Finished } from "../../system/system.ts";
import { diskTrouble } from "../local/disk_trouble.ts";
import type { Lot } from "../links.ts";
import { sourceFailure } from "../rsync/rsync_output.ts";
import type { Complaints } from "../shell/shell_session.ts";
import type { ShellSide } from "../shell/shell_side.ts";
import { sshFailure } from "../ssh/ssh_failures.ts";

/** What was said of single sources: `scp: stat local "./3": No such file or directory`, `/usr/bin/scp: ./3: not a regular file`… */
export function scpComplaints(stderr: string, lot: Lot): Complaints {
  const parcels = new Map(lot.parcels.map(({ name, parcel }) => [name, parcel]));
  const complaints = new Map<string, Failure>();
  for (const line of stderr.split(/\r?\n/)) {
    const name = /^(?:\S*scp(?:\.exe)?: )?(?:(?:stat|open|read|local) )*(?:local )?"?(?:\.\/)?([A-Za-z0-9._-]+)"?: /.exec(line)
      ?.[1];
    const parcel = name === undefined ? undefined : parcels.get(name);
    if (parcel && name && !/remote|dest/.test(line)) complaints.set(name, sourceFailure(parcel.source.path, line));
  }
  return complaints;
}

/** What an scp that blamed no source means. */
export async function scpFailure(
  finished: Finished,
  lot: Lot,
  side: ShellSide,
  destination: Destination,
  signal: AbortSignal,
): Promise<Failure> {
  const failure = sshFailure("scp", finished, destination);
  const vague = failure.code === "interrupted" && /: Failure|write remote|dest open/.test(finished.stderr);
  return vague ? await diskTrouble(failure, lot, side, signal) : failure;
}
