#!/usr/bin/python3
"""Firmware that hangs, crashes, floods its console, never connects, goes to the wrong account or tries in a tight loop: the
right verdict, in bounded time, and the worker's memory stays level."""

import datetime
import pathlib
import unittest

import lab

UNIT = "virtual-1"
CASES = ("LIFE-06", "MQTT-10", "SNI-0[1-3]", "MODE-01", "PROV-06", "MOVE-01", "LIFE-01")
ARGUMENTS = [word for case in CASES for word in ("--case", case)]
MEMORY_KIB = 400 * 1024


def peak_kib(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


class HostileFirmware(unittest.TestCase):
    def judge(self, image, *arguments):
        """Of one run of the image: the run, and its worker's peak of memory."""
        folder = self.enterContext(lab.temporary_folder())
        process = lab.start(folder, "--unit", UNIT, "--firmware", lab.IMAGES / f"{image}.img", *(arguments or ARGUMENTS))
        worker, peak = None, 0
        for event in lab.follow(f"{folder}/out/events.jsonl", process, timeout_s=180):
            if event["type"] == "unit_started":
                worker = event["pid"]
            elif event["type"] == "case_finished":
                peak = max(peak, peak_kib(worker))
        stderr = process.communicate()[1]
        run = lab.Run(f"{folder}/out", process.returncode, stderr)
        self.assertEqual(lab.processes_with(folder), {})
        self.assertLess(peak, MEMORY_KIB, run.told())
        return run

    def message(self, run, case):
        return next(e["message"] for e in run.events("case_finished") if e["case"] == case)

    def assert_blocked_by(self, run, case):
        """All others."""
        for event in run.events("case_finished"):
            if event["case"] != case:
                self.assertEqual((event["verdict"], event["blocked_by"]), ("skip", case), run.told())

    def test_hangs_at_boot(self):
        run = self.judge("hang-at-boot")
        self.assertEqual(run.status, 3, run.told())
        self.assertEqual(run.verdicts(UNIT)["LIFE-06"], "inconclusive", run.told())
        self.assert_blocked_by(run, "LIFE-06")

    def test_hangs_when_served(self):
        run = self.judge("hang-when-served")
        verdicts = run.verdicts(UNIT)
        self.assertEqual((verdicts["LIFE-06"], verdicts["SNI-01"], verdicts["SNI-02"]), ("pass",) * 3, run.told())
        self.assertEqual(verdicts["MQTT-10"], "fail", run.told())
        self.assertEqual(verdicts["SNI-03"], "skip", run.told())
        self.assertEqual(run.status, 1, run.told())

    def test_crashes_when_served(self):
        run = self.judge("crash-when-served")
        verdicts = run.verdicts(UNIT)
        self.assertEqual((verdicts["LIFE-06"], verdicts["SNI-01"], verdicts["SNI-02"]), ("pass",) * 3, run.told())
        self.assertEqual(verdicts["MQTT-10"], "fail", run.told())
        self.assertEqual(verdicts["SNI-03"], "skip", run.told())
        self.assertEqual(run.status, 1, run.told())

    def test_floods_its_console(self):
        run = self.judge("console-flood")
        self.assertEqual(set(run.verdicts(UNIT).values()), {"pass"}, run.told())
        kept = [e["time"] for e in run.events("evidence") if e["source"] == "console"]
        first, last = (datetime.datetime.fromisoformat(kept[at].replace("Z", "+00:00")) for at in (0, -1))
        # As many as ConsoleRecorder lets through, and what tells of the others.
        self.assertLess(len(kept), 600 + 201 * ((last - first).total_seconds() + 1))

    def test_never_connects(self):
        run = self.judge("never-connects")
        self.assertEqual(run.verdicts(UNIT)["LIFE-06"], "fail", run.told())
        self.assertIn("the unit made 0 connection(s)", self.message(run, "LIFE-06"))
        self.assertEqual(run.status, 1, run.told())
        self.assert_blocked_by(run, "LIFE-06")

    def test_goes_to_the_wrong_account(self):
        run = self.judge("sni-stale", "--case", "LIFE-06", "--case", "SNI-0[123]", "--case", "MODE-01", "--case", "MOVE-01")
        self.assertEqual(run.status, 1, run.told())
        self.assertEqual(run.verdicts(UNIT)["MOVE-01"], "fail", run.told())
        message = self.message(run, "MOVE-01")
        self.assertIn("landed in account", message)
        self.assertIn("111111111111", message)

    def test_tries_in_a_tight_loop(self):
        run = self.judge("reconnect-storm")
        self.assertEqual(run.status, 1, run.told())
        self.assertEqual(run.verdicts(UNIT)["LIFE-01"], "fail", run.told())
        self.assertRegex(self.message(run, "LIFE-01"), "attempts within 200 ms of each other")


if __name__ == "__main__":
    unittest.main()
