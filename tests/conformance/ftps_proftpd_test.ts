/** proftpd takes 0.4 s for each connection: its suites have files of their own. */
import { ftpSuite } from "./ftp_suite.ts";

ftpSuite("ftps at proftpd, which replaces", { kind: "proftpd", tls: "explicit", config: ["AllowOverwrite on"] }, {
  modes: 0o7777,
});
