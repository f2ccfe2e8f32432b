#!/usr/bin/env bash
# Style as a test. Run by ./rig check [--all]. Each step first finds the fault in its bad sample (tools/bad_samples).
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
step() { echo "check: $1" >&2; shift; "$@" || { failed=1; echo "check: FAILED" >&2; }; }
bites() {  # sample, what must be said of it, command...: the command must fail on the sample, and say that
  local sample=$1 expected=$2 output; shift 2
  output=$("$@" "$sample" 2>&1) || { grep -qF -- "$expected" <<<"$output" && return 0; }
  echo "$1 does not find \"$expected\" in its bad sample $sample"
  return 1
}

sources() { git ls-files '*.c' '*.cpp' '*.h' | grep -v '^tools/bad_samples/'; }

formatted() {
  bites tools/bad_samples/badly_formatted.cpp clang-format-violations clang-format --dry-run --Werror || return 1
  sources | xargs clang-format --dry-run --Werror
}

valid_boards() {
  bites tools/bad_samples/bad_board.yaml 'got `port`' build/hilmark boards check || return 1
  bites tools/bad_samples/bad_tool.yaml 'got `{imge}`' build/hilmark boards check || return 1
  build/hilmark boards check boards/*.yaml boards/{chips,commands,tools,virtual,process}/*.yaml
}

changed_sources() {  # what clang-tidy looks at: everything, or what differs from the last landed state
  if [ "${1:-}" = --all ]; then sources; return; fi
  local base
  base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || git rev-parse HEAD~1 2>/dev/null || git rev-list --max-parents=0 HEAD)
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } | sort -u | grep -E '\.(c|cpp)$' | grep -v '^tools/bad_samples/'
}

tidy_alone() { clang-tidy --quiet "$1" -- -std=c++20; }

tidy() {
  bites tools/bad_samples/untidy.cpp modernize-use-nullptr tidy_alone || return 1
  local files
  files=$(changed_sources "$@" | grep -E '\.cpp$' | while read -r file; do
    grep -qF "/$file\"" build/compile_commands.json && echo "$file"; done)
  [ -z "$files" ] && return 0
  # clang does not read GCC's precompiled headers.
  mkdir -p build/tidy
  sed -e 's/-include [^ ]*cmake_pch\.hxx//g' -e 's/-Winvalid-pch//g' build/compile_commands.json > build/tidy/compile_commands.json
  printf '%s\n' "$files" | xargs -P 2 -n 4 clang-tidy -p build/tidy --quiet 2>/dev/null
}

step "clang-format" formatted
step "arrows between rooms" tools/check_arrows_test.sh
step "board files" valid_boards
step "documents against programs" tools/check_drift_test.sh build/hilmark
step "clang-tidy" tidy "$@"
if [ $failed = 0 ]; then echo "check: clean" >&2; else echo "check: NOT clean; see above" >&2; fi
exit $failed
