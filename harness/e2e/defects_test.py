#!/usr/bin/python3
"""Every seeded defect is caught by a case that lists it, and no other case fails on it unless suites/defects.yaml says why.

Usage: defects_test.py [DEFECT DEFECT]   two at a time, one a board; without arguments all, each on the whole suite.
       defects_test.py programs          those of programs, each a unit of its own in one run of the whole suite.
"""

import json
import pathlib
import subprocess
import sys
import unittest

import yaml

import lab


def catalogue():
    done = subprocess.run(lab.hilmark("suites", "--json"), check=True, capture_output=True, text=True)
    return {case["id"]: case for case in json.loads(done.stdout)["cases"]}


def listed():
    with open("suites/defects.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)["defects"]


def also():
    return {name: set((entry or {}).get("also", {})) for name, entry in listed().items()}


def images():
    return sorted(name for name, entry in listed().items() if "unit" not in entry)


def programs():
    """defect -> the unit of the process lab in which it is switched on"""
    return {name: entry["unit"] for name, entry in listed().items() if "unit" in entry}


def lab_of_faulty_programs(folder):
    """A unit for each defect, named after it."""
    with open(lab.lab_file(folder, lab.PROCESS_LAB), encoding="utf-8") as file:
        content = yaml.safe_load(file)
    good = {unit["id"]: unit for unit in content["units"]}
    content["units"] = []
    for defect, name in programs().items():
        command = [str(pathlib.Path(good[name]["command"][0]).resolve()), *good[name]["command"][1:], "--defect", defect]
        content["units"].append({**good[name], "id": defect, "command": command})
    path = pathlib.Path(folder) / "faulty.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


class Defects(unittest.TestCase):
    chosen = []

    def judge(self, defect, run, unit, cases):
        verdicts = run.verdicts(unit)
        # What a SHOULD demands and does not get is a warning.
        failed = {case for case, verdict in verdicts.items()
                  if verdict == "fail" or (verdict == "warn" and cases[case]["level"] == "SHOULD")}
        listing = {case for case, entry in cases.items() if defect in entry["defects"]}
        print(f"{defect}: caught by {sorted(failed & listing)}, also {sorted(failed - listing)}, "
              f"inconclusive {sorted(c for c, v in verdicts.items() if v == 'inconclusive')}, "
              f"blocked {sum(v == 'skip' for v in verdicts.values())}", flush=True)
        self.assertTrue(failed & listing, f"{defect} was not caught by any of {sorted(listing)}:\n{run.told()}")
        self.assertLessEqual(failed - listing, also()[defect], f"false alarm on {defect}:\n{run.told()}")
        self.assertNotIn("error", verdicts.values(), run.told())
        self.assertEqual(run.status, 1 if "fail" in run.all_verdicts() else 0, run.told())

    def test_they_are_caught_and_nobody_else_is_blamed(self):
        cases = catalogue()
        defects = self.chosen or images()
        for first in range(0, len(defects), 2):
            pair = defects[first:first + 2]
            units = ["virtual-1", "virtual-2"][:len(pair)]
            arguments = [word for unit, defect in zip(units, pair)
                         for word in ("--unit", unit, "--firmware", f"{unit}={lab.IMAGES / defect}.img")]
            if self.chosen:  # in haste: the cases that list them, and the control of all
                listing = {case for case, entry in cases.items() if set(pair) & set(entry["defects"])}
                arguments += [word for case in sorted(listing | {"LIFE-06"}) for word in ("--case", case)]
            with self.subTest(defects=pair), lab.temporary_folder() as folder:
                run = lab.run(folder, *arguments, timeout_s=1200)
                for unit, defect in zip(units, pair):
                    self.judge(defect, run, unit, cases)

    def test_those_of_programs_are_caught_too(self):
        cases = catalogue()
        with lab.temporary_folder() as folder:
            run = lab.run_programs(folder, lab_of_faulty_programs(folder), timeout_s=600)
            for defect in programs():
                self.judge(defect, run, defect, cases)

    def test_the_list_of_defects_is_the_catalogues(self):
        named = {defect for case in catalogue().values() for defect in case["defects"]}
        self.assertEqual(named, set(listed()))


if __name__ == "__main__":
    if sys.argv[1:] == ["programs"]:
        unittest.main(argv=[sys.argv[0], "Defects.test_those_of_programs_are_caught_too"])
    Defects.chosen = sys.argv[1:]
    tests = ["Defects.test_they_are_caught_and_nobody_else_is_blamed"] if Defects.chosen else []
    unittest.main(argv=[sys.argv[0], *tests])
