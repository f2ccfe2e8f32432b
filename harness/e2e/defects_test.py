#!/usr/bin/python3
"""Every seeded defect is caught by a case that lists it, and no other case fails on it unless suites/defects.yaml says why.

Usage: defects_test.py [--chip CHIP] [DEFECT...]   on the boards of one chip, stm32h7 unless told, one defect a board at a time;
without DEFECT all, each on the whole suite.
"""

import argparse
import json
import subprocess
import sys
import unittest

import yaml

import lab


# chip -> the default lab's units, and the folder of their images
CHIPS = {"stm32h7": (["virtual-1", "virtual-2"], lab.IMAGES), "stm32f4": (["virtual-3"], lab.IMAGES / "stm32f4")}


def catalogue():
    done = subprocess.run(lab.hilmark("suites", "--json"), check=True, capture_output=True, text=True)
    return {case["id"]: case for case in json.loads(done.stdout)["cases"]}


def also():
    with open("suites/defects.yaml", encoding="utf-8") as file:
        defects = yaml.safe_load(file)["defects"]
    return {name: set((entry or {}).get("also", {})) for name, entry in defects.items()}


class Defects(unittest.TestCase):
    chip = "stm32h7"
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
        units, images = CHIPS[self.chip]
        for first in range(0, len(defects), len(units)):
            together = defects[first:first + len(units)]
            arguments = [word for unit, defect in zip(units, together)
                         for word in ("--unit", unit, "--firmware", f"{unit}={images / defect}.img")]
            if self.chosen:  # in haste: the cases that list them, and the control of all
                listing = {case for case, entry in cases.items() if set(together) & set(entry["defects"])}
                arguments += [word for case in sorted(listing | {"LIFE-06"}) for word in ("--case", case)]
            with self.subTest(defects=together), lab.temporary_folder() as folder:
                run = lab.run(folder, *arguments, timeout_s=1200)
                for unit, defect in zip(units, together):
                    self.judge(defect, run, unit, cases)

    def test_the_list_of_defects_is_the_catalogues(self):
        listed = {defect for case in catalogue().values() for defect in case["defects"]}
        self.assertEqual(listed, set(also()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--chip", choices=sorted(CHIPS), default=Defects.chip)
    parser.add_argument("defects", nargs="*")
    options = parser.parse_args()
    Defects.chip, Defects.chosen = options.chip, options.defects
    unittest.main(argv=sys.argv[:1])
