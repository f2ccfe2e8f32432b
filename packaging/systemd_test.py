#!/usr/bin/python3
"""Holds the units in systemd/ against systemd itself. Usage: systemd_test.py SYSTEMD_ANALYZE HILMARK"""

import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent / "systemd"
ANALYZE, HILMARK = sys.argv[1:3]


class Units(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for unit in HERE.glob("*.service"):
            # Where it is installed it is not built.
            (self.folder / unit.name).write_text(unit.read_text().replace("/opt/hilmark/build/hilmark", HILMARK))
        for unit in HERE.glob("*.timer"):
            (self.folder / unit.name).write_text(unit.read_text())

    def verify(self):
        units = sorted(str(path) for path in self.folder.iterdir())
        done = subprocess.run([ANALYZE, "verify", "--man=no", *units], capture_output=True, text=True, timeout=60)
        # Of the machine's own units nothing is said here.
        return [line for line in done.stderr.splitlines() if "hilmark" in line]

    def test_systemd_takes_them(self):
        self.assertEqual(self.verify(), [])

    def test_a_slip_would_be_told(self):
        unit = self.folder / "hilmark-nightly.service"
        unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=mixd"))
        self.assertTrue(any("mixd" in line for line in self.verify()), self.verify())

    def test_the_command_is_one_that_hilmark_takes(self):
        line = next(line for line in (HERE / "hilmark-nightly.service").read_text().splitlines() if line.startswith("ExecStart="))
        words = shlex.split(line.removeprefix("ExecStart=").replace("/opt/hilmark/build/hilmark", HILMARK))
        done = subprocess.run([*words, "--list"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("cannot read /etc/hilmark/lab.yaml", done.stderr, "only the lab file is missing here")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
