import { scp } from "../../src/methods/scp/scp.ts";
import { has } from "../support/needs.ts";
import { conformance } from "./conformance.ts";
import { overSshd } from "./over_sshd.ts";

conformance({
  name: "scp",
  ignore: !has("sshd"),
  onDisk: true,
  durability: "flushed",
  start: () => overSshd(scp, { counts: false }),
});
