#!/usr/bin/python3
"""Every seeded defect is caught by a case that lists it, and no other case fails on it unless suites/defects.yaml says why.

Usage: defects_test.py [--chip CHIP] [DEFECT...]   on the boards of one chip, stm32h7 unless told, one defect a board at a time;
without DEFECT all images, each on the whole suite.
       defects_test.py programs          those of programs, each a unit of its own in one run of the whole suite.
"""

import argparse
import json
import pathlib
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
        defects = self.chosen or images()
        units, folder_of_images = CHIPS[self.chip]
        for first in range(0, len(defects), len(units)):
            together = defects[first:first + len(units)]
            arguments = [word for unit, defect in zip(units, together)
                         for word in ("--unit", unit, "--firmware", f"{unit}={folder_of_images / defect}.img")]
            if self.chosen:  # in haste: the cases that list them, and the control of all
                listing = {case for case, entry in cases.items() if set(together) & set(entry["defects"])}
                arguments += [word for case in sorted(listing | {"LIFE-06"}) for word in ("--case", case)]
            with self.subTest(defects=together), lab.temporary_folder() as folder:
                run = lab.run(folder, *arguments, timeout_s=1200)
                for unit, defect in zip(units, together):
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--chip", choices=sorted(CHIPS), default=Defects.chip)
    parser.add_argument("defects", nargs="*")
    options = parser.parse_args()
    if options.defects == ["programs"]:
        unittest.main(argv=[sys.argv[0], "Defects.test_those_of_programs_are_caught_too"])
    Defects.chip, Defects.chosen = options.chip, options.defects
    tests = ["Defects.test_they_are_caught_and_nobody_else_is_blamed"] if Defects.chosen else []
    unittest.main(argv=[sys.argv[0], *tests])
