import { rsync } from "../../src/methods/rsync/rsync.ts";
import { has } from "../support/needs.ts";
import { conformance } from "./conformance.ts";
import { overSshd } from "./over_sshd.ts";

const ignore = !has("sshd", "rsync");

conformance({ name: "rsync", ignore, onDisk: true, durability: "flushed", start: () => overSshd(rsync) });

conformance({
  name: "rsync without perl, openssl and coreutils' sync there",
  ignore,
  onDisk: true,
  durability: "unconfirmed",
  start: () =>
    overSshd(rsync, { without: ["perl", "openssl"], instead: { sync: '#!/bin/sh\n[ "$1" ] && exit 1\nexec /bin/sync\n' } }),
});
