#!/usr/bin/python3
"""Every seeded defect is caught by a case that lists it, and no other case fails on it unless suites/defects.yaml says why.

Usage: defects_test.py [DEFECT DEFECT]   two at a time, one a board; without arguments all, each on the whole suite.
"""

import json
import subprocess
import sys
import unittest

import yaml

import lab


def catalogue():
    done = subprocess.run(lab.hilmark("suites", "--json"), check=True, capture_output=True, text=True)
    return {case["id"]: case for case in json.loads(done.stdout)["cases"]}


def also():
    with open("suites/defects.yaml", encoding="utf-8") as file:
        defects = yaml.safe_load(file)["defects"]
    return {name: set((entry or {}).get("also", {})) for name, entry in defects.items()}


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
        defects = self.chosen or sorted(also())
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

    def test_the_list_of_defects_is_the_catalogues(self):
        listed = {defect for case in catalogue().values() for defect in case["defects"]}
        self.assertEqual(listed, set(also()))


if __name__ == "__main__":
    Defects.chosen = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
