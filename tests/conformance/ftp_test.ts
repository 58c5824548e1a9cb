import { has } from "../support/needs.ts";
import type { FtpdOptions } from "../support/ftpd.ts";
import { conformance } from "./conformance.ts";
import { overFtpd } from "./over_ftpd.ts";
import type { Candidate } from "./rig.ts";

/** pure-ftpd sets all permissions, and prohibits backslashes. */
// deno-lint-ignore no-control-regex -- a line break ends a command
const PURE_FTPD = { modes: 0o7777, refuses: /[\x00-\x1f\x7f\\]| $/ };

/** Registers the suite on a server. */
function at(name: string, options: FtpdOptions, differences: Partial<Candidate> = {}): void {
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

at("ftp at vsftpd", {});
at("ftps at vsftpd", { tls: "explicit", config: ["require_ssl_reuse=NO"] });
at("ftps at vsftpd that demands TLS session reuse, implicit", { tls: "implicit", config: ["require_ssl_reuse=YES"] });
at("ftp at pure-ftpd", { kind: "pure-ftpd" }, PURE_FTPD);
at("ftps at pure-ftpd", { kind: "pure-ftpd", tls: "explicit" }, PURE_FTPD);
at("ftp at proftpd, which refuses to replace", { kind: "proftpd" }, { modes: 0o7777 });
at("ftps at proftpd, which replaces", { kind: "proftpd", tls: "explicit", config: ["AllowOverwrite on"] }, { modes: 0o7777 });
