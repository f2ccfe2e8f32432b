#!/usr/bin/python3
"""The suite proves itself in haste: golden units come out clean, every seeded defect is caught by a case that lists it, and
no other case blames it."""

import json
import os
import pathlib
import subprocess
import unittest

import lab

LIMIT_S = 1100


class Selfcheck(unittest.TestCase):
    def test_every_defect_is_caught_and_nobody_else_is_blamed(self):
        with lab.temporary_folder() as folder:
            boards, programs = lab.lab_file(folder, lab.SELFCHECK_LAB), lab.lab_file(folder, lab.PROCESS_LAB)
            out = pathlib.Path(folder) / "out"
            command = lab.hilmark("selfcheck", "--quick", "--lab", boards, "--lab", programs, "--out", out)
            done = subprocess.run(lab.on_the_lab(*command, lab=boards), capture_output=True, text=True, timeout=LIMIT_S,
                                  check=False)
            told = f"{done.stdout}\n{done.stderr[-20000:]}"
            self.assertEqual(done.returncode, 0, told)
            seen = json.loads((out / "selfcheck.json").read_text())
        self.assertEqual((seen["missed"], seen["false_alarms"], seen["errors"], seen["not_tried"]), ([], [], 0, []), told)
        self.assertEqual(seen["caught"], seen["defects"])
        self.assertEqual(set(seen["matrix"]), {defect for case in self.catalogue() for defect in case["defects"]})
        self.assertTrue(all(unit["clean"] for unit in seen["golden"].values()))

    @staticmethod
    def catalogue():
        done = subprocess.run(lab.hilmark("suites", "--json"), check=True, capture_output=True, text=True)
        return json.loads(done.stdout)["cases"]

    def test_bad_input_is_told_and_harms_nothing(self):
        with lab.temporary_folder() as folder:
            for arguments, told in ((["--lab", "none.yaml"], "none.yaml"),
                                    (["--lab", lab.PROCESS_LAB, "--defects", "none.yaml"], "none.yaml"),
                                    ([], "--lab")):
                with self.subTest(arguments=arguments):
                    done = subprocess.run(lab.hilmark("selfcheck", "--out", os.path.join(folder, "out"), *arguments),
                                          capture_output=True, text=True, timeout=LIMIT_S, check=False)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(told, done.stderr)


if __name__ == "__main__":
    unittest.main()
