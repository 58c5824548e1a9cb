import { sftp } from "../../src/methods/sftp/sftp.ts";
import { has } from "../support/needs.ts";
import { forceReplacing, sftpServer } from "../support/replacing_sftp.ts";
import { conformance } from "./conformance.ts";
import { overSshd } from "./over_sshd.ts";

conformance({
  name: "sftp",
  ignore: !has("sshd"),
  onDisk: true,
  durability: "flushed",
  start: () => overSshd(sftp),
});

conformance({
  name: "sftp without a shell",
  ignore: !has("sshd"),
  onDisk: true,
  durability: "unconfirmed",
  start: () => overSshd(sftp, { sftpOnly: true }),
});

// What other SFTP servers, and old ones, lack.
conformance({
  name: "sftp without a shell, links, replacing rename, flush and free space",
  ignore: !has("sshd"),
  onDisk: true,
  durability: "unconfirmed",
  replacesInTwoSteps: true,
  start: () => overSshd(sftp, { sftpOnly: true, config: ["ForceCommand internal-sftp -P posix-rename,hardlink,fsync,statvfs"] }),
});

conformance({
  name: "sftp where the server takes one session a connection",
  ignore: !has("sshd"),
  onDisk: true,
  durability: "unconfirmed",
  start: () => overSshd(sftp, { sftpOnly: true, maxSessions: 1 }),
});

conformance({
  name: "sftp where the server's plain rename replaces",
  ignore: !has("sshd") || sftpServer() === null,
  onDisk: true,
  durability: "unconfirmed",
  start: () => overSshd(sftp, { config: [forceReplacing()] }),
});
