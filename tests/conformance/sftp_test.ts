import { sftp } from "../../src/methods/sftp.ts";
import { has } from "../support/needs.ts";
import { conformance } from "./conformance.ts";
import { overSshd } from "./over_sshd.ts";

conformance({
  name: "sftp",
  ignore: !has("sshd"),
  onDisk: true,
  start: () => overSshd(sftp),
});

conformance({
  name: "sftp without a shell",
  ignore: !has("sshd"),
  onDisk: true,
  printableNamesOnly: true,
  start: () => overSshd(sftp, { sftpOnly: true }),
});
