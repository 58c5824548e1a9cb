/** Which options of rsync pass. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkRsyncOptions } from "../../../src/config/resolve/resolve_destination.ts";

const KEPT: readonly (readonly [string, readonly string[]])[] = [
  ["--archive", []],
  ["--partial", []],
  ["--progress", []],
  ["-a", []],
  ["-avP", []],
  ["-az", ["--compress"]],
  ["--compress-level=1", ["--compress-level=1"]],
  ["--bwlimit=5000", ["--bwlimit=5000"]],
  ["--bwlimit=1.5M", ["--bwlimit=1.5M"]],
  ["--chmod=D2775,F664", ["--chmod=D2775,F664"]],
  ["--chown=observer:science", ["--chown=observer:science"]],
  ["-W", ["--whole-file"]],
  ["--skip-compress=gz/fz/jpg", ["--skip-compress=gz/fz/jpg"]],
];
for (const [option, kept] of KEPT) {
  Deno.test(`checkRsyncOptions() lets ${option} pass`, () => {
    assertEquals(checkRsyncOptions([option]), { kept, faults: [] });
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  ["--inplace", "already be visible"],
  ["--append", "already be visible"],
  ["--append-verify", "already be visible"],
  ["--remove-source-files", "use delete_source"],
  ["--remove-sent-files", "use delete_source"],
  ["--del", "removes files"],
  ["--delete", "removes files"],
  ["--delete-after", "removes files"],
  ["--delete-excluded", "removes files"],
  ["-n", "nothing would be sent"],
  ["--dry-run", "nothing would be sent"],
  ["-avn", "nothing would be sent"],
  ["--files-from=/etc/passwd", "file_patterns"],
  ["--exclude=*.fits", "file_patterns"],
  ["-e", "controls the connection"],
  ["-essh", "controls the connection"],
  ["--rsh=sh -c reboot", "controls the connection"],
  ["--rsync-path=reboot", "controls the connection"],
  ["-M--rsync-path=x", "controls the connection"],
  ["--daemon", "controls the connection"],
  ["-x", "file_patterns"],
  ["-b", "on_conflict"],
  ["--backup-dir=/x", "on_conflict"],
  ["--suffix=~", "on_conflict"],
  ["-T/tmp", "temporary files"],
  ["--temp-dir=/tmp", "temporary files"],
  ["--partial-dir=x", "temporary files"],
  ["--link-dest=/x", "temporary files"],
  ["--copy-dest=/x", "temporary files"],
  ["--compare-dest=/x", "temporary files"],
  ["--write-batch=x", "nothing would be sent"],
  ["--out-format=%n", "the output"],
  ["--info=progress2", "the output"],
  ["--log-file=/x", "the output"],
  ["--timeout=3", "transfer_timeout_seconds"],
  ["--iconv=utf8,latin1", "changes file names"],
  ["--no-times", "preserve_timestamps"],
  ["--copy-links", "regular files"],
  ["--chmod=u+x;reboot", "not known to be safe"],
  ["--bwlimit=$(reboot)", "not known to be safe"],
  ["--skip-compress=`reboot`", "not known to be safe"],
  ["--inplac", "not known to be safe"],
  ["-H", "not known to be safe"],
  ["--", "not known to be safe"],
  ["/etc/passwd", "must be an option"],
  ["-", "must be an option"],
];
for (const [option, reason] of REFUSED) {
  Deno.test(`checkRsyncOptions() refuses ${option}`, () => {
    const { kept, faults } = checkRsyncOptions(["--archive", option]);
    // Of a cluster the harmless letters may be kept; the fault alone keeps the whole from being used.
    assertEquals([kept.filter((one) => one !== "--compress"), faults.every((fault) => fault.index === 1)], [[], true]);
    assertStringIncludes(faults.map((fault) => fault.message).join("\n"), reason);
  });
}
