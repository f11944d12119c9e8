#!/bin/sh
# Installs fastglow as a service, or takes it away again. Can be run any number of times.
#
#   install.sh [--root DIR] PROGRAM      PROGRAM: the fastglow binary
#   install.sh [--root DIR] --undo       keeps /etc/fastglow/fastglow.toml if it was changed
#
# With --root nothing is started or stopped: for images and packages.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=
undo=
program=
while [ $# -gt 0 ]; do
  case $1 in
    --root) [ $# -ge 2 ] || { echo "error: --root: expected a folder" >&2; exit 2; }; root=${2%/}; shift 2 ;;
    --undo) undo=yes; shift ;;
    -*) echo "error: $1: no such option" >&2; exit 2 ;;
    *) program=$1; shift ;;
  esac
done

binary=$root/usr/bin/fastglow
config=$root/etc/fastglow/fastglow.toml
shipped=$root/usr/share/doc/fastglow/fastglow.toml
manual=$root/usr/share/doc/fastglow/protocol.md
units=$root/etc/systemd/system

# A file appears whole or not at all.
place() {
  mkdir -p "$(dirname "$3")"
  new=$(mktemp "$(dirname "$3")/.fastglow.XXXXXX")
  trap 'rm -f "$new"' EXIT
  cp "$2" "$new"
  chmod "$1" "$new"
  mv -f "$new" "$3"
  trap - EXIT
}

manager() {
  if [ -z "$root" ] && [ -d /run/systemd/system ]; then
    systemctl "$@"
  fi
}

if [ -n "$undo" ]; then
  manager disable --now fastglow.service fastglow.socket 2>/dev/null || true
  if [ -f "$config" ] && [ -f "$shipped" ] && cmp -s "$config" "$shipped"; then
    rm -f "$config"
  fi
  rm -f "$units/fastglow.service" "$units/fastglow.socket" "$binary" "$shipped" "$manual"
  rmdir "$root/usr/share/doc/fastglow" "$root/etc/fastglow" 2>/dev/null || true
  manager daemon-reload
  [ ! -f "$config" ] || echo "kept: $config"
  exit 0
fi

[ -n "$program" ] || { echo "error: expected the fastglow binary, or --undo" >&2; exit 2; }
[ -x "$program" ] || { echo "error: $program: expected a program" >&2; exit 1; }
# A configuration of the user's own must be understood by the new program before anything is replaced.
checked=$here/fastglow.toml
[ ! -f "$config" ] || checked=$config
"$program" check "$checked"

place 755 "$program" "$binary"
if [ ! -f "$config" ] || { [ -f "$shipped" ] && cmp -s "$config" "$shipped"; }; then
  place 644 "$here/fastglow.toml" "$config"
fi
place 644 "$here/fastglow.toml" "$shipped"
place 644 "$here/protocol.md" "$manual"
place 644 "$here/systemd/fastglow.service" "$units/fastglow.service"
place 644 "$here/systemd/fastglow.socket" "$units/fastglow.socket"
manager daemon-reload
manager enable --now fastglow.socket
manager enable fastglow.service
manager restart fastglow.service
