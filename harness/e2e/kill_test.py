#!/usr/bin/python3
"""A run survives the death of a worker, and its log the death of everything."""

import os
import random
import signal
import subprocess
import unittest

import lab


def valid_junit(test, folder):
    done = subprocess.run(lab.hilmark("report", "junit", folder / "events.jsonl", "--output", folder / "made.xml"),
                          capture_output=True, text=True, check=False)
    test.assertEqual(done.returncode, 0, done.stderr)
    checked = subprocess.run(["xmllint", "--noout", "--schema", "reports/junit.xsd", folder / "made.xml"],
                             capture_output=True, text=True, check=False)
    test.assertEqual(checked.returncode, 0, checked.stderr)


class WorkerKilled(unittest.TestCase):
    def test_its_open_cases_are_rig_errors_and_nothing_is_left_behind(self):
        with lab.temporary_folder() as folder:
            process = lab.start(folder, "--area", "sni", "--area", "modes")
            events = f"{folder}/out/events.jsonl"
            killed = False
            for event in lab.follow(events, process):
                if not killed and event["type"] == "case_started" and event.get("unit") == "virtual-1" \
                        and event["case"] == "SNI-03":
                    worker = next(e["pid"] for e in lab.Run(f"{folder}/out", 0, "").events("unit_started")
                                  if e["unit"] == "virtual-1")
                    lab.kill(worker)
                    killed = True
            stderr = process.communicate()[1]
            run = lab.Run(f"{folder}/out", process.returncode, stderr)
            self.assertTrue(killed, stderr)
            self.assertEqual(run.status, 3, run.told())
            self.assertEqual(set(run.verdicts("virtual-2").values()), {"pass"}, run.told())
            planned = next(e["cases"] for e in run.events("unit_planned") if e["unit"] == "virtual-2")
            self.assertEqual(set(run.verdicts("virtual-2")), {case["case"] for case in planned if not case["skip"]})
            valid_junit(self, run.folder)
            report = (run.folder / "junit.xml").read_text()
            self.assertIn('type="rig"', report)
            self.assertEqual(lab.processes_with(folder), {})

    def test_the_unit_flashes_again_at_once(self):
        with lab.temporary_folder() as folder:
            lab_file = lab.lab_file(folder)
            flash = " ".join(lab.hilmark("flash", "--lab", lab_file, "--unit", "virtual-1", lab.IMAGES / "golden.img"))
            script = f'''
                {" ".join(lab.hilmark("run", "--lab", lab_file, "--unit", "virtual-1", "--out", folder + "/out"))} &
                run=$!
                until grep -qs '"case_started"' {folder}/out/events.jsonl; do
                  kill -0 $run || exit 99
                  read -t 0.02 -u 9 || true
                done 9<>{folder}/fifo
                kill -9 $(sed -n 's/.*"type":"unit_started".*"pid":\\([0-9]*\\).*/\\1/p' {folder}/out/events.jsonl)
                wait $run
                [ $? = 3 ] || exit 98
                {flash}'''
            os.mkfifo(f"{folder}/fifo")
            done = subprocess.run(lab.on_the_lab("bash", "-c", script, lab=lab_file), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


class ParentKilled(unittest.TestCase):
    def test_what_is_there_makes_a_valid_report_at_any_instant(self):
        seed = random.SystemRandom().randrange(2**32)
        chance = random.Random(seed)
        instants = sorted(chance.sample(range(3, 400), 20))
        for number in instants:
            with self.subTest(seed=seed, event=number), lab.temporary_folder() as folder:
                process = lab.start(folder, "--unit", "virtual-1", "--case", "LIFE-06", "--case", "SNI-0*")
                for count, _ in enumerate(lab.follow(f"{folder}/out/events.jsonl", process), 1):
                    if count == number:
                        # A command that lives for a moment only may be gone by now: its words were read with its number.
                        for pid, command in lab.processes_with(f"{folder}/out").items():
                            words = command.split()
                            if words[0].endswith("hilmark") and words[1] == "run":
                                os.kill(pid, signal.SIGKILL)
                        break
                process.communicate(timeout=60)
                valid_junit(self, lab.Run(f"{folder}/out", 0, "").folder)
                self.assertEqual(lab.processes_with(folder), {})


if __name__ == "__main__":
    unittest.main()
