#!/usr/bin/python3
"""What breaks in the rig is told as the rig's: a broker that dies, a disk that fills up. No unit is blamed for it."""

import os
import pathlib
import subprocess
import unittest

import lab


def descendants(pid):
    """Of a process, by their parents' lists."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def program_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


class RigFaults(unittest.TestCase):
    def assert_nobody_is_blamed(self, run):
        blamed = [e for e in run.events("case_finished") if e["verdict"] in ("fail", "warn", "inconclusive")]
        self.assertEqual(blamed, [], run.told())
        for event in run.events("case_finished"):
            if event["verdict"] == "error":
                self.assertEqual(event["error_type"], "rig", event["message"])

    def test_a_broker_that_dies(self):
        with lab.temporary_folder() as folder:
            process = lab.start(folder, "--area", "sni", "--area", "modes", "--area", "lifecycle")
            killed = []
            for event in lab.follow(f"{folder}/out/events.jsonl", process):
                if not killed and event["type"] == "case_started" and event.get("unit") == "virtual-1" \
                        and event["case"] == "MODE-01":
                    worker = next(e["pid"] for e in lab.Run(f"{folder}/out", 0, "").events("unit_started")
                                  if e["unit"] == "virtual-1")
                    for pid in descendants(worker):
                        if program_of(pid) == "mosquitto":
                            lab.kill(pid)
                            killed.append(pid)
            stderr = process.communicate()[1]
            run = lab.Run(f"{folder}/out", process.returncode, stderr)
            self.assertTrue(killed, stderr)
            self.assertEqual(run.status, 3, run.told())
            self.assert_nobody_is_blamed(run)
            broken = [e for e in run.events("case_finished") if e["unit"] == "virtual-1" and e["verdict"] == "error"]
            self.assertIn("broker", broken[0]["message"])
            self.assertEqual(set(run.verdicts("virtual-2").values()), {"pass"}, run.told())


class FullDisk(unittest.TestCase):
    """A file system of its own, too small for what is to come."""

    def setUp(self):
        self.folder = self.enterContext(lab.temporary_folder())
        self.disk = pathlib.Path(self.folder) / "disk"
        self.disk.mkdir()

    def mount(self, kib):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(self.disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)

    def run_to_its_end(self, out, environment=None):
        lab_file = lab.lab_file(self.folder)
        command = lab.hilmark("run", "--lab", lab_file, "--out", out, "--area", "sni", "--case", "*-0[1-3]")
        return subprocess.run(lab.on_the_lab(*command, lab=lab_file), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False, env=environment)

    def test_of_the_reports(self):
        self.mount(64)
        done = self.run_to_its_end(self.disk / "out")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("events.jsonl: No space left on device", done.stderr)
        self.assertEqual(lab.processes_with(self.folder), {})
        blamed = [line for line in done.stderr.splitlines() if " fail " in line or " inconclusive " in line]
        self.assertEqual(blamed, [])

    def test_of_the_workers_folders(self):
        self.mount(16)
        done = self.run_to_its_end(pathlib.Path(self.folder) / "out", {**os.environ, "TMPDIR": str(self.disk)})
        self.assertIn(done.returncode, (2, 3), done.stderr)
        self.assertIn("No space left on device", done.stderr)
        blamed = [line for line in done.stderr.splitlines() if " fail " in line or " inconclusive " in line]
        self.assertEqual(blamed, [])


if __name__ == "__main__":
    unittest.main()
