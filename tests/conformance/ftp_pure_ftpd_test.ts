import { ftpSuite } from "./ftp_suite.ts";

/** pure-ftpd sets all permissions, and prohibits backslashes. */
// deno-lint-ignore no-control-regex -- a line break ends a command
const PURE_FTPD = { modes: 0o7777, refuses: /[\x00-\x1f\x7f\\]| $/ };

ftpSuite("ftp at pure-ftpd", { kind: "pure-ftpd" }, PURE_FTPD);
ftpSuite("ftps at pure-ftpd", { kind: "pure-ftpd", tls: "explicit" }, PURE_FTPD);
