/**
 * Flushes files that have their final names already, and the folders on the way to them, through a remote shell: for what
 * is taken for delivered because it was found there.
 *
 * @module
 */
import type { Session } from "../method.ts";
import { flushScript } from "./publish_sh.ts";
import type { RunInBase } from "./run_in_base.ts";
import { shellQuote } from "./shell_quote.ts";
import { nulList } from "./shell_survey.ts";
import type { ShellTools } from "./shell_tools.ts";

/** Makes `Session.flush`. */
export function shellFlush(inBase: RunInBase, tools: ShellTools, where: string): Session["flush"] {
  return async (paths, signal) => {
    if (paths.length === 0) return;
    const places = new Set(["."]);
    for (const path of paths) {
      const parts = `./${path}`.split("/");
      for (let depth = 2; depth <= parts.length; depth++) places.add(parts.slice(0, depth).join("/"));
    }
    const script = tools.perl
      ? `${nulList([...places])} | perl -e ${shellQuote(FLUSH_PERL)} || exit ${FAILED}\n:`
      : `${flushScript(tools.flush, [...places])}:`;
    await inBase(`flush files below ${where}`, script, signal);
  };
}

/** Exit status that says that the script's own work failed; what it printed says why. */
const FAILED = 92;

/** Takes names, each ended by NUL. macOS: fsync only reaches the drive's cache; 51 is F_FULLFSYNC. */
const FLUSH_PERL = String.raw`
use strict; use IO::Handle; use Errno qw(EINVAL ENOTSUP); use Fcntl;
binmode STDIN; $/ = "\0";
while (defined(my $path = <STDIN>)) {
  chomp $path;
  open(my $f, '<', $path) or do { print "$!\n"; exit 1 };
  next if $^O eq 'darwin' && fcntl($f, 51, 0);
  next if $f->sync || $! == EINVAL || $! == ENOTSUP;
  print "$!\n"; exit 1;
}
`;
