#!/usr/bin/python3
"""Two units with one key are told, though each had a run of its own."""

import os
import pathlib
import shutil
import unittest

import lab


class SharedKey(unittest.TestCase):
    def judged(self, folder, unit, image="key-hardcoded"):
        """PROV-02's message on that unit, after its verdict."""
        # The same lab file each time, wherever the build is.
        shutil.rmtree(pathlib.Path(folder) / "out", ignore_errors=True)
        run = lab.run(folder, "--unit", unit, "--case", "PROV-02", "--firmware", lab.IMAGES / f"{image}.img")
        finished = [event for event in run.events("case_finished") if event["case"] == "PROV-02"]
        self.assertEqual(len(finished), 1, run.told())
        return finished[0]["verdict"], finished[0]["message"] + " ".join(finished[0]["notes"])

    def test_a_key_of_two_units_is_told_over_runs(self):
        with lab.temporary_folder() as state, lab.temporary_folder() as folder:
            os.environ["XDG_STATE_HOME"] = state
            verdict, told = self.judged(folder, "virtual-1")
            self.assertEqual(verdict, "fail", told)
            self.assertIn("no other unit of this lab is known yet", told)
            verdict, told = self.judged(folder, "virtual-2")
            self.assertEqual(verdict, "fail", told)
            self.assertIn("is that of unit virtual-1 as well", told)
            verdict, told = self.judged(folder, "virtual-2", "golden")
            self.assertEqual(verdict, "pass", told)
            files = [path for path in pathlib.Path(state).rglob("*") if path.is_file()]
            self.assertEqual(len(files), 1)
            self.assertEqual(files[0].stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main()
