/** The conformance suite at FTP servers: a file for each server, as they run side by side. */
import { has } from "../support/needs.ts";
import type { FtpdOptions } from "../support/ftpd.ts";
import { conformance } from "./conformance.ts";
import { overFtpd } from "./over_ftpd.ts";
import type { Candidate } from "./rig.ts";

/** Registers the suite on a server. */
export function ftpSuite(name: string, options: FtpdOptions, differences: Partial<Candidate> = {}): void {
  conformance({
    name,
    ignore: !has("vsftpd", ...(options.kind ? ["ftpds" as const] : [])),
    onDisk: true,
    durability: "unconfirmed",
    replacesInTwoSteps: true,
    modes: 0o777,
    // deno-lint-ignore no-control-regex -- a line break ends a command
    refuses: /[\x00-\x1f\x7f]| $/,
    start: () => overFtpd(options),
    ...differences,
  });
}
