import { tar } from "../../src/methods/tar/tar.ts";
import { has } from "../support/needs.ts";
import { conformance } from "./conformance.ts";
import { overSshd } from "./over_sshd.ts";

const ignore = !has("sshd");

conformance({ name: "tar", ignore, onDisk: true, durability: "flushed", start: () => overSshd(tar) });

for (const program of ["bsdtar", "busybox tar"]) {
  conformance({
    name: `tar with ${program} there`,
    ignore: ignore || !has("tars"),
    onDisk: true,
    durability: "flushed",
    start: () => overSshd(tar, { without: ["rsync"], instead: { tar: `#!/bin/sh\nexec ${program} "$@"\n` } }),
  });
}
