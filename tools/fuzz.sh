#!/usr/bin/env bash
# Builds the fuzz targets and runs them, two at a time, each from its corpus in the tree. `./rig fuzz` comes here.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

seconds=60
if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
elif [ $# -gt 0 ] && [[ "$1" == -* ]]; then
  echo "usage: ./rig fuzz [SECONDS] [TARGET...]" >&2
  exit 2
fi

[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >&2
cmake --build --preset fuzz >&2

mapfile -t known < <(sort -u build/fuzz/targets.txt)
for wanted in "$@"; do
  if ! printf '%s\n' "${known[@]}" | grep -q "^$wanted "; then
    echo "fuzz: no target $wanted; there are $(printf '%s\n' "${known[@]}" | cut -d' ' -f1 | tr '\n' ' ')" >&2
    exit 2
  fi
done

run_one() {  # name corpus
  local folder=build/fuzz/$1 status=0
  mkdir -p "$folder/found" "$folder/new"
  build/fuzz/targets/"$1"_fuzz "$folder/new" "$2" -max_total_time="$seconds" -artifact_prefix="$folder/found/" \
    -print_final_stats=1 -timeout=10 -rss_limit_mb=2048 >"$folder/log" 2>&1 || status=$?
  if [ $status -ne 0 ]; then
    tail -40 "$folder/log" >&2
    echo "fuzz: $1 FAILED; again: build/fuzz/targets/${1}_fuzz $(ls -t "$folder"/found/* 2>/dev/null | head -1)" >&2
    return 1
  fi
  echo "fuzz: $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log") inputs in $seconds s, nothing found"
}
export -f run_one
export seconds

for line in "${known[@]}"; do
  name=${line%% *}
  if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then printf '%s\0' "$line"; fi
done | xargs -0 -P 2 -I{} bash -c 'set -- {}; run_one "$1" "$2"'
