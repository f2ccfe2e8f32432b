#!/usr/bin/python3
"""Run by bench/run.sh inside the virtual lab: how long a whole run of the golden units takes, and how much of it is waiting that
no rig could save: windows in which a claim demands silence, and the units' own back-off. Each unit is run alone, so that none
waits for a processor that another one has."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

LABS = ("boards/virtual/lab.yaml", "boards/process/lab.yaml")


def units_of(lab):
    listed = subprocess.run(["build/hilmark", "run", "--lab", lab, "--list", "--json"], check=True, capture_output=True, text=True)
    return [unit["unit"] for unit in json.loads(listed.stdout)["units"]]


def judged(lab, unit, folder):
    out = folder / unit
    start = time.monotonic()
    done = subprocess.run(["build/hilmark", "run", "--lab", lab, "--unit", unit, "--out", out], capture_output=True, text=True,
                          check=False)
    took = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{unit}: exit status {done.returncode}\n{done.stderr}")
    summary = json.loads((out / "summary.json").read_text())
    return took, summary["units"][0], summary["cases"]


def main():
    print(f"{'unit':22}{'cases':>6}{'command':>11}{'cases':>11}{'waits':>11}{'command / waits':>17}")
    with tempfile.TemporaryDirectory(prefix="hilmark-bench-") as name:
        for lab in LABS:
            for unit in units_of(lab):
                took, story, cases = judged(lab, unit, pathlib.Path(name))
                ran = sum(case["verdict"] == "pass" for case in cases)
                waits = story["waited_ms"] / 1000
                print(f"{unit:22}{ran:6}{took:9.1f} s{story['duration_ms'] / 1000:9.1f} s{waits:9.1f} s{took / waits:17.2f}", flush=True)


if __name__ == "__main__":
    main()
