/** Flushing to the disk through a remote shell: each file and folder, where it helps behind the file system as a whole. */
import { ancestors } from "../../domain/names/file_name.ts";
import type { Session } from "../method.ts";
import { FAILED, type RunInBase } from "./remote_shell.ts";
import { shellQuote, shellWords, wordGroups } from "./shell_quote.ts";
import { linkRefused } from "../staging.ts";
import { linkIn, strangeFunction } from "./shell_staging.ts";
import { nulList } from "./shell_survey.ts";
import type { Flush, ShellTools } from "./shell_tools.ts";

/** Makes `Session.flush`: for what is taken for delivered because it was found there, with the folders on the way to it. */
export function shellFlush(inBase: RunInBase, tools: ShellTools, where: string, follow: boolean): Session["flush"] {
  return async (paths, signal) => {
    if (paths.length === 0) return;
    const folders = new Map(paths.map((path) => [ancestors(path).at(-1), path]));
    const looks = [...folders].map(([folder], index) =>
      folder === undefined ? "" : `! strange ${shellQuote(`./${folder}`)} || { echo "strange ${index} $depth"; exit 0; }\n`
    );
    const script = `${strangeFunction(follow)}${looks.join("")}${flushText(tools, paths)}`;
    const found = STRANGE.exec(await inBase(`flush files below ${where}`, script, signal));
    if (found === null) return;
    const path = [...folders.values()][Number(found[1])]!;
    throw linkRefused(path, linkIn(`link ${found[2]}`, path) ?? path, where, "accept");
  };
}

const STRANGE = /^strange (\d+) (\d+)$/m;

/** Flushes our own file; what cannot be flushed is removed: Linux tells of an error of the disk only once (fsync(2)). */
export function flushOrRemove(tools: Pick<ShellTools, "perl" | "flush">, staged: string): string {
  return orRemove(flushText(tools, [staged]), [staged]);
}

/** Runs the text; where it fails, removes these files of ours. */
export function orRemove(text: string, staged: readonly string[]): string {
  const remove = wordGroups(staged).map((group) => `rm -f ${shellWords(group)}`).join("; ");
  return `(\n${text}\n) || { s=$?; ${remove}; exit $s; }\n`;
}

function flushText({ perl, flush }: Pick<ShellTools, "perl" | "flush">, paths: readonly string[]): string {
  const places = new Set(["."]);
  for (const path of paths) {
    const parts = `./${path}`.split("/");
    for (let depth = 2; depth <= parts.length; depth++) places.add(parts.slice(0, depth).join("/"));
  }
  return perl
    ? `${nulList([...places])} | perl -e ${shellQuote(FLUSH_PERL)} || exit ${FAILED}\n:`
    : `${flushScript(flush, [...places])}:`;
}

/**
 * In perl: flushes the file or folder; gives nothing, or the error. Needs IO::Handle and the names of Errno. macOS: fsync only reaches the
 * drive's cache; 51 is F_FULLFSYNC. Only where the file system has no such thing, fsync may answer in its place: an error is told once.
 */
export const FLUSH_SUB = String.raw`
sub flush {
  my ($path) = @_;
  open(my $f, '<', $path) or return $!;
  if ($^O eq 'darwin') {
    return '' if fcntl($f, 51, 0);
    return $! unless $! == ENOTSUP || $! == ENOTTY || $! == EINVAL;
  }
  return '' if IO::Handle::sync($f) || $! == EINVAL || $! == ENOTSUP;
  return $!;
}
`;

export const FLUSH_PERL = String.raw`
use strict; use IO::Handle; use Errno qw(EINVAL ENOTSUP ENOTTY);
${FLUSH_SUB}
binmode STDIN; $/ = "\0";
while (defined(my $path = <STDIN>)) {
  chomp $path;
  my $e = flush($path) or next;
  print "$e\n"; exit 1;
}
`;

/**
 * Flushes these files and folders; fails when the disk said no. `sync -f` only writes them out at once: its answer proves nothing of a
 * file (publish_perl.ts).
 */
export function flushScript(flush: Flush, paths: readonly string[]): string {
  switch (flush) {
    case "sync -f":
      // With names, and without -f, it is an fsync of each.
      return `case "$(stat -f -c %t . 2>/dev/null)" in
${SYNCED_WHOLE.join("|")}) sync -f . >/dev/null 2>&1 ;;
esac
${flushEach("sync", paths)}`;
    case "fsync":
      return flushEach("fsync", paths);
    case "sync":
      return "sync\n";
  }
  flush satisfies never;
}

/** Flushes what is there of the names; one process where all are. */
function flushEach(program: "fsync" | "sync", paths: readonly string[]): string {
  const define = `flush() {
  for f; do
    [ -e "$f" ] || { for f; do [ ! -e "$f" ] || ${program} "$f" 2>&1 || exit 9; done; return 0; }
  done
  ${program} "$@" 2>&1 || exit 9
}
`;
  return define + wordGroups(paths).map((group) => `flush ${shellWords(group)}\n`).join("");
}

/**
 * Types of file systems of Linux that are written out as a whole (`sync -f`, syncfs(2)) before each file is asked, as `stat -f -c %t` prints
 * them. The numbers are from linux/magic.h (statfs(2) lists them too), that of ZFS from its own source. Others are flushed only
 * file by file: FUSE and CIFS, for example, hand fsync(2) on to whoever keeps the data, but not syncfs(2).
 */
export const SYNCED_WHOLE: readonly string[] = [
  "ef53", // ext2, ext3, ext4
  "58465342", // XFS
  "9123683e", // Btrfs
  "2fc12fc1", // ZFS
  "f2f52010", // F2FS
  "6969", // NFS: what is written back is committed at the server
  "1021994", // tmpfs
  "794c7630", // overlayfs: hands it on to the file system below
];
