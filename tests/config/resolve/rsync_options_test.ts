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

/** By what is said of them. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "already be visible": ["--inplace", "--append", "--append-verify"],
  "use delete_source": ["--remove-source-files", "--remove-sent-files"],
  "removes files": ["--del", "--delete", "--delete-after", "--delete-excluded"],
  "nothing would be sent": ["-n", "--dry-run", "-avn", "--write-batch=x"],
  "file_patterns": ["--files-from=/etc/passwd", "--exclude=*.fits", "-x"],
  "controls the connection": ["-e", "-essh", "--rsh=sh -c reboot", "--rsync-path=reboot", "-M--rsync-path=x", "--daemon"],
  "on_conflict": ["-b", "--backup-dir=/x", "--suffix=~"],
  "temporary files": ["-T/tmp", "--temp-dir=/tmp", "--partial-dir=x", "--link-dest=/x", "--copy-dest=/x", "--compare-dest=/x"],
  "the output": ["--out-format=%n", "--info=progress2", "--log-file=/x"],
  "transfer_timeout_seconds": ["--timeout=3"],
  "changes file names": ["--iconv=utf8,latin1"],
  "preserve_timestamps": ["--no-times"],
  "regular files": ["--copy-links"],
  "not known to be safe": ["--chmod=u+x;reboot", "--bwlimit=$(reboot)", "--skip-compress=`reboot`", "--inplac", "-H", "--"],
  "must be an option": ["/etc/passwd", "-"],
};
for (const [reason, options] of Object.entries(REFUSED)) {
  for (const option of options) {
    Deno.test(`checkRsyncOptions() refuses ${option}`, () => {
      const { kept, faults } = checkRsyncOptions(["--archive", option]);
      // Of a cluster the harmless letters may be kept; the fault alone keeps the whole from being used.
      assertEquals([kept.filter((one) => one !== "--compress"), faults.every((fault) => fault.index === 1)], [[], true]);
      assertStringIncludes(faults.map((fault) => fault.message).join("\n"), reason);
    });
  }
}
