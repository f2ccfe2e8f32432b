#!/usr/bin/env python3
"""Whether docs/detection.md tells of this suite: the same defects, listed by the same cases, with the same reasons where others
fail too.

usage: check_detection.py HILMARK FILE DEFECTS      ends with 1 and says what differs
"""
import json
import re
import subprocess
import sys

import yaml


def section(path, title):
    with open(path, encoding="utf-8") as file:
        found = re.search(rf"\n## {title}\n(.*?)(\n## |\Z)", file.read(), re.DOTALL)
    return found[1].splitlines() if found else []


def listed_by(hilmark):
    suites = json.loads(subprocess.run([hilmark, "suites", "--json"], check=True, capture_output=True).stdout)
    cases = {}
    for case in suites["cases"]:
        for defect in case["defects"]:
            cases.setdefault(defect, set()).add(case["id"])
    return cases


def told_by(path):
    cases = {}
    for line in section(path, "Seeded defects"):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or cells[1] in ("defect", "---"):
            continue
        cases[cells[1]] = set(re.findall(r"[A-Z]+-\d+", cells[3]))
    return cases


def reasons_given(defects):
    with open(defects, encoding="utf-8") as file:
        entries = yaml.safe_load(file)["defects"]
    return {(case, defect): reason for defect, entry in entries.items() for case, reason in (entry.get("also") or {}).items()}


def reasons_told(path):
    lines = (re.fullmatch(r"- (\S+) on (\S+): (.*)\.", line) for line in section(path, "Why others fail too"))
    return {(line[1], line[2]): line[3] for line in lines if line}


def main():
    hilmark, path, defects = sys.argv[1:]
    suite, told = listed_by(hilmark), told_by(path)
    faults = [f"{defect}: not in the table" for defect in sorted(suite.keys() - told.keys())]
    faults += [f"{defect}: in the table, but listed by no case" for defect in sorted(told.keys() - suite.keys())]
    faults += [
        f"{defect}: listed by {', '.join(sorted(suite[defect]))}; the table says {', '.join(sorted(told[defect]))}"
        for defect in sorted(suite.keys() & told.keys())
        if suite[defect] != told[defect]
    ]
    given = reasons_given(defects)
    faults += [
        f"{case} on {defect}: says \"{reason}\"; {defects} says \"{given.get((case, defect), 'nothing')}\""
        for (case, defect), reason in sorted(reasons_told(path).items())
        if given.get((case, defect)) != reason
    ]
    for fault in faults:
        print(f"{path}: {fault}")
    if faults:
        print("make it anew: ./rig selfcheck -- --markdown docs/detection.md")
    return 1 if faults else 0


sys.exit(main())
