#!/usr/bin/env bash
# The drift check bites on each of its bad samples, both ways, and finds nothing in the project. Usage: check_drift_test.sh HILMARK
set -euo pipefail
cd "$(dirname "$0")/.."
output=$(tools/check_drift.py "$1" tools/bad_samples/drift) && { echo "the bad samples were not found"; exit 1; }
while read -r expected; do
  grep -qxF "$expected" <<<"$output" || { echo "not found: $expected"; printf '%s\n' "$output"; exit 1; }
done <<'EXPECTED'
README.md does not tell selfcheck, which ./rig has
README.md tells fly, which ./rig has not
docs/running.md does not tell --wait, which hilmark run --help has
docs/running.md tells --colour, which hilmark run --help has not
docs/device_files.md does not tell keeps-identity, which drivers/unit/unit.cpp has
docs/device_files.md tells flies, which drivers/unit/unit.cpp has not
docs/device_files.md does not tell dns_ttl_ms, which harness/inventory/board_file.cpp has
docs/device_files.md tells nap_ms, which harness/inventory/board_file.cpp has not
docs/command_files.md does not tell trust_anchor, which drivers/console/command_set.cpp has
docs/command_files.md tells sing, which drivers/console/command_set.cpp has not
README.md links to docs/none.md, which is not there
EXPECTED
tools/check_drift.py "$1"
