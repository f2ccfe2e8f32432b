#!/usr/bin/env bash
# Proves the bare machine: a fresh Debian 12 with nothing but g++ and cmake, this repository's HEAD in it, `./rig run`, then
# `./rig test`, each timed. Needs root and mmdebstrap. Usage: tools/bare_machine.sh [FOLDER] [MIRROR]
set -euo pipefail
project=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
root=${1:-$(mktemp -d /var/tmp/bare-machine-XXXXXX)}
mirror=${2:-}
command -v mmdebstrap >/dev/null || { echo "bare_machine: install mmdebstrap first" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "bare_machine: needs root, for the chroot" >&2; exit 2; }

echo "bare_machine: a fresh Debian 12 in $root" >&2
# The package sources are those of this machine, so that a mirror of its own is used where it has one.
# shellcheck disable=SC2086
mmdebstrap --variant=minbase --include=g++,cmake,git,ca-certificates bookworm "$root" $mirror
cleanup() {
  for mount in proc sys dev .; do umount -l "$root/$mount" 2>/dev/null || true; done
}
trap cleanup EXIT
# A root that is a mount of its own, as a machine's is: else no process in it could make its mounts private.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
# What every installer writes, and mmdebstrap leaves out.
[ -e "$root/etc/hosts" ] || echo '127.0.0.1 localhost' >"$root/etc/hosts"
cp /etc/resolv.conf "$root/etc/resolv.conf"
for file in /etc/apt/apt.conf.d/*; do [ -f "$file" ] && cp -n "$file" "$root/etc/apt/apt.conf.d/"; done
git clone -q "$project" "$root/root/hilmark"
timed() {
  local start=$SECONDS status=0
  chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 sh -c "cd /root/hilmark && $1" || status=$?
  echo "bare_machine: $1: exit status $status after $((SECONDS - start)) s" >&2
  return $status
}
timed './rig run'
timed './rig test'
