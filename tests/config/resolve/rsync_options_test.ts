/** Which options of rsync pass. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkRsyncOptions } from "../../../src/config/resolve/rsync_options.ts";

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
  ["--inplace", "visible already"],
  ["--append", "visible already"],
  ["--append-verify", "visible already"],
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
  ["-e", "how the other side is reached"],
  ["-essh", "how the other side is reached"],
  ["--rsh=sh -c reboot", "how the other side is reached"],
  ["--rsync-path=reboot", "how the other side is reached"],
  ["-M--rsync-path=x", "how the other side is reached"],
  ["--daemon", "how the other side is reached"],
  ["-x", "file_patterns"],
  ["-b", "on_conflict"],
  ["--backup-dir=/x", "on_conflict"],
  ["--suffix=~", "on_conflict"],
  ["-T/tmp", "temporary place"],
  ["--temp-dir=/tmp", "temporary place"],
  ["--partial-dir=x", "temporary place"],
  ["--link-dest=/x", "temporary place"],
  ["--copy-dest=/x", "temporary place"],
  ["--compare-dest=/x", "temporary place"],
  ["--write-batch=x", "nothing would be sent"],
  ["--out-format=%n", "its output"],
  ["--info=progress2", "its output"],
  ["--log-file=/x", "its output"],
  ["--timeout=3", "transfer_timeout_seconds"],
  ["--iconv=utf8,latin1", "changes names"],
  ["--no-times", "preserve_timestamps"],
  ["--copy-links", "regular files"],
  ["--chmod=u+x;reboot", "not known to be harmless"],
  ["--bwlimit=$(reboot)", "not known to be harmless"],
  ["--skip-compress=`reboot`", "not known to be harmless"],
  ["--inplac", "not known to be harmless"],
  ["-H", "not known to be harmless"],
  ["--", "not known to be harmless"],
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
