#!/usr/bin/env bash
# The arrow check bites on every bad sample, and finds nothing in the project.
set -euo pipefail
cd "$(dirname "$0")"
output=$(python3 check_arrows.py bad_samples) && { echo "the bad samples were not found"; exit 1; }
grep -rho 'Expected: .*' bad_samples | sed -e 's/^Expected: //' -e 's# \*/$##' | while read -r expected; do
  grep -qF "$expected" <<<"$output" || { echo "not found: $expected"; printf '%s\n' "$output"; exit 1; }
done
python3 check_arrows.py ..
