#!/usr/bin/env bash
# Style as a test. Run by ./rig check [--all].
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
step() { echo "check: $1" >&2; shift; "$@" || { failed=1; echo "check: FAILED" >&2; }; }

sources() { git ls-files '*.c' '*.cpp' '*.h' | grep -v '^tools/bad_samples/'; }

formatted() {
  ! clang-format --dry-run --Werror tools/bad_samples/badly_formatted.cpp 2>/dev/null || { echo "clang-format finds nothing in its bad sample"; return 1; }
  sources | xargs clang-format --dry-run --Werror
}

changed_sources() {  # what clang-tidy looks at: everything, or what differs from the last landed state
  if [ "${1:-}" = --all ]; then sources; return; fi
  local base
  base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || git rev-parse HEAD~1 2>/dev/null || git rev-list --max-parents=0 HEAD)
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } | sort -u | grep -E '\.(c|cpp)$' | grep -v '^tools/bad_samples/'
}

tidy() {
  local files
  files=$(changed_sources "$@" | grep -E '\.cpp$' | while read -r file; do
    grep -qF "/$file\"" build/compile_commands.json && echo "$file"; done)
  [ -z "$files" ] && return 0
  # clang does not read GCC's precompiled headers.
  mkdir -p build/tidy
  sed -e 's/-include [^ ]*cmake_pch\.hxx//g' -e 's/-Winvalid-pch//g' build/compile_commands.json > build/tidy/compile_commands.json
  printf '%s\n' "$files" | xargs -P 2 -n 4 clang-tidy -p build/tidy --quiet 2>/dev/null
}

no_drift() {  # the README tells the commands that rig has
  local command
  for command in setup build run test check bench; do
    grep -q "./rig $command" README.md || { echo "README.md does not tell ./rig $command"; return 1; }
  done
}

step "clang-format" formatted
step "arrows between rooms" tools/check_arrows_test.sh
step "board files" build/hilmark boards check boards/*.yaml boards/chips/*.yaml boards/virtual/*.yaml boards/process/*.yaml
step "README against rig" no_drift
step "clang-tidy" tidy "$@"
[ $failed = 0 ] && echo "check: clean" >&2
exit $failed
