#!/usr/bin/env python3
"""Whether docs/detection.md tells of this suite: the same defects, listed by the same cases.

usage: check_detection.py HILMARK FILE      ends with 1 and says what differs
"""
import json
import re
import subprocess
import sys


def listed_by(hilmark):
    suites = json.loads(subprocess.run([hilmark, "suites", "--json"], check=True, capture_output=True).stdout)
    cases = {}
    for case in suites["cases"]:
        for defect in case["defects"]:
            cases.setdefault(defect, set()).add(case["id"])
    return cases


def told_by(path):
    cases = {}
    with open(path, encoding="utf-8") as file:
        table = re.search(r"\n## Seeded defects\n(.*?)(\n## |\Z)", file.read(), re.DOTALL)
    for line in table[1].splitlines() if table else []:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or cells[1] in ("defect", "---"):
            continue
        cases[cells[1]] = set(re.findall(r"[A-Z]+-\d+", cells[3]))
    return cases


def main():
    hilmark, path = sys.argv[1:]
    suite, told = listed_by(hilmark), told_by(path)
    faults = [f"{defect}: not in the table" for defect in sorted(suite.keys() - told.keys())]
    faults += [f"{defect}: in the table, but listed by no case" for defect in sorted(told.keys() - suite.keys())]
    faults += [
        f"{defect}: listed by {', '.join(sorted(suite[defect]))}; the table says {', '.join(sorted(told[defect]))}"
        for defect in sorted(suite.keys() & told.keys())
        if suite[defect] != told[defect]
    ]
    for fault in faults:
        print(f"{path}: {fault}")
    if faults:
        print("make it anew: ./rig selfcheck -- --markdown docs/detection.md")
    return 1 if faults else 0


sys.exit(main())
