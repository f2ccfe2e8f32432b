#!/usr/bin/env bash
# Measures, on the virtual lab: the time from `hilmark run` to the first verdict, and flashing 1 MiB against dfu-util on the same
# board, in turn; medians and the ratio. Then whole runs of all golden units against the waits that they demand.
# Usage: bench/run.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
in_the_lab=(build/virtual-lab --lab boards/virtual/lab.yaml -- /usr/bin/python3)
"${in_the_lab[@]}" bench/measure.py "${1:-5}"
"${in_the_lab[@]}" bench/round.py
