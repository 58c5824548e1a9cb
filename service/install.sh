#!/bin/sh
# Installs image-transfer from a release: verifies the checksum and puts the program on the PATH.
#   install.sh FROM [VERSION] [TARGET]
# FROM is the folder or address (https://…) of the archives and SHA256SUMS. As root, it installs to /usr/local/bin,
# otherwise to ~/.local/bin; PREFIX=/somewhere changes that.
set -eu

fail() { echo "install.sh: $*" >&2; exit 1; }

from="${1:-}"
[ -n "$from" ] || { sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2; }
from="${from%/}"
case "$(uname -s)" in
  Linux) system=unknown-linux-gnu ;;
  Darwin) system=apple-darwin ;;
  *) fail "there is no binary for $(uname -s); on Windows, use install.ps1" ;;
esac
case "$(uname -m)" in
  x86_64 | amd64) machine=x86_64 ;;
  aarch64 | arm64) machine=aarch64 ;;
  *) fail "there is no binary for $(uname -m)" ;;
esac
target="${3:-$machine-$system}"
if [ "$(id -u)" = 0 ]; then prefix="${PREFIX:-/usr/local}"; else prefix="${PREFIX:-$HOME/.local}"; fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
fetch() {
  case "$from" in
    # --proto holds for redirections as well.
    https://*) curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --output "$work/$1" "$from/$1" ;;
    *://*) fail "$from is not an https:// address: the archive could be replaced on its way; nothing was installed" ;;
    *) cp "$from/$1" "$work/$1" ;;
  esac || fail "cannot get $from/$1"
}

fetch SHA256SUMS
version="${2:-}"
line="$(grep -E "^[0-9a-f]{64}  image-transfer-${version:-[0-9][0-9A-Za-z.+-]*}-$target\.tar\.gz\$" "$work/SHA256SUMS" | head -n 1)"
[ -n "$line" ] || fail "SHA256SUMS lists no archive${version:+ of version $version} for $target"
archive="${line#*  }"
fetch "$archive"
if command -v sha256sum >/dev/null; then sum="$(sha256sum "$work/$archive")"; else sum="$(shasum -a 256 "$work/$archive")"; fi
[ "${sum%% *}" = "${line%% *}" ] || fail "$archive is damaged or not genuine: its checksum does not match SHA256SUMS; nothing was installed"

tar -xzf "$work/$archive" -C "$work"
folder="$work/${archive%.tar.gz}"
mkdir -p "$prefix/bin"
for name in image-transfer image-transfer-service; do
  # By rename, so that a running program is not disturbed.
  cp "$folder/$name" "$prefix/bin/.$name.new"
  chmod 755 "$prefix/bin/.$name.new"
  mv -f "$prefix/bin/.$name.new" "$prefix/bin/$name"
done
mkdir -p "$prefix/share/bash-completion/completions" "$prefix/share/zsh/site-functions" "$prefix/share/fish/vendor_completions.d"
cp "$folder/completions/image-transfer.bash" "$prefix/share/bash-completion/completions/image-transfer"
cp "$folder/completions/image-transfer.zsh" "$prefix/share/zsh/site-functions/_image-transfer"
cp "$folder/completions/image-transfer.fish" "$prefix/share/fish/vendor_completions.d/image-transfer.fish"

echo "Installed $("$prefix/bin/image-transfer" --version) in $prefix/bin"
case ":$PATH:" in *":$prefix/bin:"*) ;; *) echo "Add $prefix/bin to your PATH." ;; esac
echo "Next: image-transfer init"
