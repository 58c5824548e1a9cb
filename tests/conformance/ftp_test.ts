import { ftpSuite } from "./ftp_suite.ts";

ftpSuite("ftp at vsftpd", {});
ftpSuite("ftps at vsftpd", { tls: "explicit", config: ["require_ssl_reuse=NO"] });
ftpSuite("ftps at vsftpd that demands TLS session reuse, implicit", { tls: "implicit", config: ["require_ssl_reuse=YES"] });
