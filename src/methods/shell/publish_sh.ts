/**
 * What publish_perl.ts does, in POSIX sh with `ln`, `mv`, `cmp`: for hosts without perl (BusyBox, FreeBSD). A few processes
 * for each file. The script is the text here, then one line `p …` for each file.
 *
 * @module
 */
/** One call: `p staged target policy stem ending fileMode folderMode parent depth`. Prints the same lines as the perl program. */
export const PUBLISH_SH = `
nl='
'
say() { printf '%s\\n' "$1"; }
# The last words of an error message, on one line; its first words may hold hostile names.
fail() {
  e=$(printf '%s' "$1" | tr '\\n\\r' '  '); e=\${e##*: }
  case $e in
    *[Pp]ermission\\ denied*|*[Nn]ot\\ permitted*) if [ "$deep" -gt 0 ] && [ -w . ]; then say "denied $deep"; return; fi ;;
  esac
  say "fail $e"
}
folders() {
  [ -d "$1" ] && [ "$1" = "$seen" ] && return 0
  if strange "$1"; then say "link $depth"; return 1; fi
  if [ ! -d "$1" ]; then
    made=
    left=$1/ path= above=-1
    while [ -n "$left" ]; do
      path=$path\${left%%/*} left=\${left#*/}
      if [ ! -d "$path" ]; then
        e=$(mkdir "$path" 2>&1) || [ -d "$path" ] || { deep=$above; fail "$e"; return 1; }
        [ -z "$2" ] || chmod "$2" "$path"
      fi
      path=$path/ above=$((above + 1))
    done
  fi
  # mv would copy to another file system, and a copy is seen half.
  if [ "$(device "$1")" != "$here" ]; then say "fail Invalid cross-device link"; return 1; fi
  seen=$1
}
keep() {
  n=1
  while [ $n -lt 100000 ]; do
    former=$2.v$n$3
    if [ ! -L "$1" ] && ln "$1" "$former" 2>/dev/null; then return 0; fi
    if [ -e "$former" ] || [ -L "$former" ]; then
      [ "$1" -ef "$former" ] && [ ! -L "$1" ] && return 0
    elif (set -C; : > "$former") 2>/dev/null; then
      # No hard links here: the name was taken first, so that nobody else does.
      e=$(mv -f "$1" "$former" 2>&1) && return 0
      rm -f "$former"; return 1
    else
      e=$( (set -C; : > "$former") 2>&1); return 1
    fi
    n=$((n + 1))
  done
  e="too many former versions"; return 1
}
p() {
  deep=$9
  if [ ! -f "$1" ]; then say "fail staged file: No such file or directory"; return; fi
  folders "$8" "$7" || return
  # ln and mv would put it into the folder.
  if [ -d "$2" ] && [ ! -L "$2" ]; then say folder; return; fi
  if [ "$3" != overwrite ] && [ ! -d "$2" ] && ln "$1" "$2" 2>/dev/null; then rm -f "$1"; say ok; return; fi
  answer=ok
  if [ -e "$2" ] || [ -L "$2" ]; then
    if [ "$3" != overwrite ] && { [ -L "$2" ] || ! cmp -s "$1" "$2"; }; then
      [ "$3" = version ] || { say exists; return; }
      # Comparing may take long: who gave this attempt up has removed it, and what has the name now may be newer.
      [ -f "$1" ] || { say "fail staged file: No such file or directory"; return; }
      keep "$2" "$4" "$5" || { fail "$e"; return; }
      answer="former $n"
    fi
    # mv would move into the folder that a symlink leads to.
    [ -L "$2" ] && [ -d "$2" ] && rm -f "$2"
  fi
  # Rename last: readers see the old or the new file, whole.
  e=$(mv -f "$1" "$2" 2>&1) || { fail "$e"; return; }
  # Two names of one file: mv may move nothing then (a crash came between ln and rm).
  rm -f "$1"
  say "$answer"
}
seen=
here=$(device .)
# Others that give names here wait until this shell ends: two would keep the same former file, and one version would be lost.
if command -v flock >/dev/null 2>&1 && [ -r . ]; then exec 9<.; flock 9 2>/dev/null || :; fi
`;

/** The function `device` for the stat that is there. */
export function deviceFunction(stat: readonly string[]): string {
  const format = stat.includes("-f") ? "-f %d" : "-c %d";
  return `device() { stat -L ${format} "$1" 2>/dev/null; }\n`;
}
