/**
 * Which programs a remote shell has, asked once per session in one round: the fastest that hashes, perl or `stat` to look
 * at many files with one process, what flushes to the disk, rsync and its version.
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import { printable } from "../../domain/names/printable.ts";
import { type RsyncVersion, rsyncVersion } from "../rsync/rsync_args.ts";
import type { Durability } from "../method.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";

/** How files get to the disk: file systems as a whole before files and folders one by one, only these, or everything. */
export type Flush = "sync -f" | "fsync" | "sync";

export interface ShellTools {
  /** Words of a command that prints `<sha256> *<name>` for each file named behind it, or for its input. */
  readonly hash: readonly string[];
  /** True where a perl with its core modules works. */
  readonly perl: boolean;
  /** Words of a command that prints `<mode> <size> <name>` for what each name leads to. */
  readonly stat: readonly string[];
  readonly statRadix: 16 | 8;
  readonly flush: Flush;
  /** At least 1: so many files are hashed side by side. */
  readonly processors: number;
  /** The first line of `tar --version`; null if tar is not installed. */
  readonly tar: string | null;
  /** Path and version of rsync; null where there is none. */
  readonly rsync: { readonly path: string; readonly version: RsyncVersion } | null;
}

/** Asks. @throws {Failure} `tool_missing` where nothing there can hash, or look at files. */
export async function probeShell(connection: SshConnection, signal: AbortSignal): Promise<ShellTools> {
  const { output } = await connection.run(PROBE, signal);
  const said = new Map(
    output.split("\n").map((line) => {
      const space = line.indexOf(" ");
      return space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1).trim()];
    }),
  );
  const hash = said.get("hash")?.split(" ");
  const perl = said.get("perl") === "works";
  const stat = said.get("stat");
  const cannot = `Cannot use the shell of ${connection.destination.name}`;
  if (!hash) throw failure(CAUSES.no_hash_there, cannot);
  if (!perl && stat === undefined) throw failure(CAUSES.no_stat_there, cannot);
  const version = rsyncVersion(said.get("rsync-version") ?? "");
  const path = said.get("rsync-path");
  return {
    hash,
    perl,
    stat: stat === "bsd" ? ["stat", "-L", "-f", "%p %z %N"] : ["stat", "-L", "-c", "%f %s %n"],
    statRadix: stat === "bsd" ? 8 : 16,
    flush: FLUSHES.find((each) => each === said.get("flush")) ?? "sync",
    processors: Math.max(1, Number(said.get("processors")) || 1),
    tar: said.get("tar") ?? null,
    rsync: path && version ? { path, version } : null,
  };
}

const FLUSHES: readonly Flush[] = ["sync -f", "fsync"];

/** Of what is published with these tools. `sync` without arguments tells of no error, and may return before all is on the disk. */
export function durabilityOf({ perl, flush }: ShellTools): Durability {
  return perl || flush !== "sync" ? "flushed" : "unconfirmed";
}

/** What `doctor` and `status` show of them. */
export function aboutTools(tools: ShellTools): string {
  const { hash, perl, flush } = tools;
  return `hashes with ${printable(hash.join(" "))}, names with ${perl ? "perl" : "sh"}, flushes with ${
    perl && flush !== "sync -f" ? "perl" : flush
  }`;
}

const NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Each row is one word that names it, then what was found. A tool counts when it was seen to work. */
const PROBE = `
h() {
  case "$("$@" /dev/null 2>/dev/null)" in ${NOTHING}*) echo "hash $*"; return 0 ;; esac
  return 1
}
h openssl dgst -sha256 -r || h sha256sum || h busybox sha256sum || h sha256 -r || h shasum -a 256
[ "$(perl -MIO::Handle -MErrno -MFcntl -e 'print "works"' 2>/dev/null)" = works ] && echo "perl works"
case "$(stat -L -c '%f %s %n' / 2>/dev/null)" in 4*" /") echo "stat gnu" ;; *)
  case "$(stat -L -f '%p %z %N' / 2>/dev/null)" in 4*" /") echo "stat bsd" ;; esac ;;
esac
system=$(uname -s)
if [ "$system" = Linux ]; then
  # Before 4.4, syncfs(2) took the errors of files that nobody had been told of.
  case "$(uname -r)" in [0-3].*|4.[0-3].*) help= ;; *) help=$(sync --help 2>&1) ;; esac
  case "$help" in *-f*) echo "flush sync -f" ;; *) command -v fsync >/dev/null && echo "flush fsync" ;; esac
else
  command -v fsync >/dev/null && echo "flush fsync"
fi
echo "processors $(getconf _NPROCESSORS_ONLN 2>/dev/null)"
if dd if=/dev/zero bs=1024 count=1 2>/dev/null | tar -xpmo -f - >/dev/null 2>&1; then
  tar --version 2>&1 </dev/null | { IFS= read -r version; echo "tar $version"; }
fi
if p=$(command -v rsync); then
  echo "rsync-path $p"
  rsync --version 2>&1 </dev/null | { IFS= read -r version; echo "rsync-version $version"; }
fi
:`;
