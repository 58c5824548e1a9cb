/**
 * `staging.ts` in POSIX sh: the checks of our staging folder, and of links on the way to targets. What each script does costs no process.
 */
import { ancestors } from "../../domain/names/file_name.ts";
import { AN_ATTEMPT, NOT_AN_ATTEMPT } from "../staging.ts";

/** Exit status of a script that found something else in the place of the staging folder; its last line says what, or nothing for a link. */
export const UNSAFE = 90;

/** Begins every script, in the base path. `owned`: a folder that we make there was seen to be the account's own. */
export function checkPlace(stagingRoot: string, owned: boolean): string {
  const own = owned ? ` && { [ ! -e ${stagingRoot} ] || [ -O ${stagingRoot} ] || { echo owner; exit ${UNSAFE}; }; }` : "";
  return `[ ! -L ${stagingRoot} ] && { [ ! -e ${stagingRoot} ] || [ -d ${stagingRoot} ]; }${own} || exit ${UNSAFE}\n`;
}

export const OWNED = "image-transfer: owned";

/** Compares the staging folder with one that is made in it now. Where none can be made, nothing will be written there either. */
export function checkOwner(stagingRoot: string): string {
  const made = `${stagingRoot}/check-$$`;
  return `
o=
if [ -d ${stagingRoot} ] && (umask 077; mkdir ${made}) 2>/dev/null; then
  set -- $(ls -dn ${stagingRoot} 2>/dev/null); m=$1 u=$3
  set -- $(ls -dn ${made} 2>/dev/null)
  [ ! -O ${made} ] || o=${OWNED.split(" ")[1]}
  rmdir ${made}
  [ "$u" = "$3" ] || { echo owner; exit ${UNSAFE}; }
  case "$m" in ?????w*) case "$1" in ?????w*) ;; *) echo mode; exit ${UNSAFE} ;; esac ;; esac
  case "$m" in ????????w*) case "$1" in ????????w*) ;; *) echo mode; exit ${UNSAFE} ;; esac ;; esac
  [ -z "$o" ] || echo '${OWNED}'
fi
`;
}

/**
 * Goes into the staging folder and makes sure that it is there and nowhere else, whatever becomes of its name from now on. Without one, the
 * script ends. `$base` is the way back.
 */
export function enterStaging(stagingRoot: string): string {
  return `base=$(pwd -P)
[ -d ${stagingRoot} ] || exit 0
cd -P ${stagingRoot} 2>/dev/null && [ "$(pwd -P)" = "\${base%/}/${stagingRoot}" ] || exit ${UNSAFE}
`;
}

/** Calls `work` with the name of each attempt of ours as `$n`, in the staging folder. */
export function eachAttempt(work: string): string {
  return `for n in *; do case "$n" in ${NOT_AN_ATTEMPT}) ;; ${AN_ATTEMPT}) ${work} ;; esac; done\n`;
}

/** Words of the answer where a link of another account is on the way: how many folders deep it lies. */
const LINK = /^link (\d+)$/;

export function linkIn(answer: string, path: string): string | null {
  const depth = LINK.exec(answer)?.[1];
  return depth === undefined ? null : ancestors(path)[Number(depth) - 1] ?? path;
}

/**
 * The function `strange ./folder/of/a/target`: true where a link of another account is on the way, `$depth` folders deep. Empty is what
 * never is.
 */
export function strangeFunction(follow: boolean): string {
  if (follow) return "strange() { return 1; }\n";
  return `owner() { ls -dn "$1" 2>/dev/null | { read -r _ _ u _; printf '%s' "$u"; }; }
strange() {
  [ "$1" != . ] || return 1
  left=\${1#./}/ path=. depth=0
  while [ -n "$left" ]; do
    path=$path/\${left%%/*} left=\${left#*/} depth=$((depth + 1))
    [ -L "$path" ] || continue
    case " 0 $(id -u) $(owner .) " in *" $(owner "$path") "*) ;; *) return 0 ;; esac
  done
  return 1
}
`;
}
