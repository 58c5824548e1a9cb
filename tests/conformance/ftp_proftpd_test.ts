/** proftpd takes 0.4 s for each connection: its suites have a file of their own. */
import { ftpSuite } from "./ftp_suite.ts";

ftpSuite("ftp at proftpd, which refuses to replace", { kind: "proftpd" }, { modes: 0o7777 });
ftpSuite("ftps at proftpd, which replaces", { kind: "proftpd", tls: "explicit", config: ["AllowOverwrite on"] }, {
  modes: 0o7777,
});
