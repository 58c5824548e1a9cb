/**
 * Which options of rsync a user may add: only those that are known to break no promise. Options of seed 1 that have no effect
 * here are accepted and left out; all others are rejected by name, with a reason if there is one.
 */

/** The options that are passed on, and what is wrong with the others. */
interface CheckedOptions {
  readonly kept: readonly string[];
  /** `index` is the place among the options as they were written, from 0. */
  readonly faults: readonly { readonly index: number; readonly message: string }[];
}

/** What may be added, as the error lists it. */
const ALLOWED_TEXT =
  "--bwlimit=…, --compress, --compress-level=…, --compress-choice=…, --skip-compress=…, --whole-file, --no-whole-file, --chmod=…, --chown=…, " +
  "--owner, --group, --numeric-ids, --usermap=…, --groupmap=…, --acls, --xattrs, --omit-dir-times, --ipv4, --ipv6, --sockopts=…, --block-size=…, " +
  "--checksum-choice=…, --open-noatime";

const ALLOWED =
  /^--(?:bwlimit=[\d.]+[KMGkmg]?|compress|no-compress|compress-level=\d+|zl=\d+|compress-choice=\w+|zc=\w+|skip-compress=[\w./[\]*-]*|(?:no-)?whole-file|chmod=[\w,=+-]+|chown=[\w.*:-]+|(?:no-)?owner|(?:no-)?group|numeric-ids|usermap=[\w.*:,-]+|groupmap=[\w.*:,-]+|(?:no-)?acls|(?:no-)?xattrs|omit-dir-times|ipv[46]|sockopts=[\w=,]+|block-size=\d+|checksum-choice=[\w,]+|cc=[\w,]+|open-noatime)$/;

/** Always on, or only about what is printed. */
const DONE_ANYWAY =
  /^--(?:archive|recursive|links|times|perms|partial|progress|verbose|quiet|human-readable|stats|checksum|protect-args|secluded-args)$/;

const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^--(inplace|append|append-verify|write-devices)$/, "it writes to files that may already be visible"],
  [
    /^--(remove-source-files|remove-sent-files)$/,
    "files may be removed only once they are verified everywhere; use delete_source",
  ],
  [/^--(del|delete.*|force|max-delete.*|prune-empty-dirs|ignore-errors)$/, "it removes files at the destination"],
  [/^--(dry-run|list-only)$/, "nothing would be sent; use image-transfer --dry-run"],
  [
    /^--(files-from|from0|filter|include|exclude|cvs-exclude|min-size|max-size|existing|ignore-existing|ignore-non-existing|update|size-only|ignore-times|one-file-system)(.*)$/,
    "files are selected by file_patterns and exclude_patterns",
  ],
  [
    /^--(rsh|rsync-path|remote-option|daemon|config|password-file|blocking-io|port)(.*)$/,
    "image-transfer controls the connection",
  ],
  [/^--(backup|backup-dir|suffix)(.*)$/, "on_conflict decides what happens to existing files"],
  [
    /^--(temp-dir|partial-dir|delay-updates|no-partial|link-dest|copy-dest|compare-dest|mkpath|relative|no-relative|no-implied-dirs)(.*)$/,
    "image-transfer controls the temporary files",
  ],
  [
    /^--(out-format|log-file|log-file-format|info|debug|itemize-changes|outbuf|msgs2stderr|stderr|8-bit-output|no-motd)(.*)$/,
    "image-transfer reads the output of rsync",
  ],
  [/^--(write-batch|only-write-batch|read-batch)(.*)$/, "nothing would be sent"],
  [/^--(copy-links|copy-unsafe-links|copy-dirlinks|keep-dirlinks|munge-links|safe-links)$/, "only regular files are sent"],
  [/^--(timeout|contimeout|stop-after|stop-at|time-limit)(.*)$/, "use transfer_timeout_seconds"],
  [/^--(iconv)(.*)$/, "it changes file names"],
  [/^--no-(times|perms|archive|recursive)$/, "use preserve_timestamps and preserve_permissions"],
];

/** The long names of short options; those with a value are rejected anyway. */
const LETTERS: Readonly<Record<string, string>> = {
  a: "archive",
  r: "recursive",
  l: "links",
  t: "times",
  p: "perms",
  P: "progress",
  v: "verbose",
  q: "quiet",
  h: "human-readable",
  s: "protect-args",
  c: "checksum",
  z: "compress",
  W: "whole-file",
  o: "owner",
  g: "group",
  A: "acls",
  X: "xattrs",
  O: "omit-dir-times",
  4: "ipv4",
  6: "ipv6",
  n: "dry-run",
  e: "rsh",
  b: "backup",
  T: "temp-dir",
  f: "filter",
  C: "cvs-exclude",
  u: "update",
  x: "one-file-system",
  I: "ignore-times",
  M: "remote-option",
  R: "relative",
  L: "copy-links",
  k: "copy-dirlinks",
  K: "keep-dirlinks",
  i: "itemize-changes",
  m: "prune-empty-dirs",
};

/** Checks a list of options as written in the configuration. */
export function checkRsyncOptions(options: readonly string[]): CheckedOptions {
  const kept: string[] = [];
  const faults: { index: number; message: string }[] = [];
  options.forEach((written, index) => {
    const long = written.startsWith("--") ? [written] : shortOptions(written);
    if (long === null) {
      faults.push({
        index,
        message: `must be an option that begins with -, with its value after =, like --bwlimit=5000, not "${written}"`,
      });
      return;
    }
    for (const option of long) {
      if (ALLOWED.test(option)) kept.push(option);
      else if (!DONE_ANYWAY.test(option)) faults.push({ index, message: refusal(written, option) });
    }
  });
  return { kept, faults };
}

function refusal(written: string, option: string): string {
  const reason = REFUSED.find(([pattern]) => pattern.test(option))?.[1] ??
    `it is not known to be safe. Allowed: ${ALLOWED_TEXT}`;
  const name = written.startsWith("--") ? written : `${option.startsWith("--") ? `${option} in ` : ""}${written}`;
  return `must not contain ${name}: ${reason}`;
}

/** `-avn` as its long options; null if it is not an option. */
function shortOptions(written: string): string[] | null {
  if (!/^-[A-Za-z0-9@]/.test(written)) return null;
  return [...written.slice(1)].map((letter) => LETTERS[letter] === undefined ? `-${letter}` : `--${LETTERS[letter]}`);
}
