#!/usr/bin/env bash
# Measures, on the virtual lab: the time from `hilmark run` to the first verdict, and flashing 1 MiB against dfu-util on the same
# board, in turn. Prints medians and the ratio. Usage: bench/run.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
exec build/virtual-lab --lab boards/virtual/lab.yaml -- /usr/bin/python3 bench/measure.py "${1:-5}"
