#!/usr/bin/python3
"""A program as the device: mosquitto_pub, a stack that we did not write, without any virtual lab."""

import subprocess
import unittest

import lab


class ProcessUnit(unittest.TestCase):
    def test_mosquitto_pub_passes_what_it_can_run(self):
        with lab.temporary_folder() as folder:
            done = subprocess.run(lab.hilmark("run", "--lab", "boards/process/lab.yaml", "--out", f"{folder}/out"),
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
            run = lab.Run(f"{folder}/out", done.returncode, done.stderr)
            self.assertEqual(run.status, 0, run.told())
            verdicts = run.verdicts("mosquitto-pub")
            self.assertEqual(set(verdicts.values()), {"pass"}, run.told())
            self.assertEqual(len(verdicts), 20, run.told())
            self.assertEqual({e["virtual"] for e in run.events("case_finished")}, {False})


if __name__ == "__main__":
    unittest.main()
