#!/usr/bin/python3
"""What breaks in the rig is told as the rig's: a broker that dies, a disk that fills up. No unit is blamed for it."""

import contextlib
import pathlib
import re
import subprocess
import unittest

import lab


def processes():
    """pid -> (name, parent's pid) of all that live."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)", stat.read_text().strip(), re.DOTALL).groups()
        except OSError:
            continue
        found[int(stat.parent.name)] = (name, int(rest.split()[1]))
    return found


def brokers_of(worker):
    known = processes()

    def is_below(pid):
        while pid in known and pid != worker:
            pid = known[pid][1]
        return pid == worker

    return [pid for pid, (name, _) in known.items() if name == "mosquitto" and is_below(pid)]


class RigFaults(unittest.TestCase):
    def assert_nobody_is_blamed(self, run):
        blamed = [e for e in run.events("case_finished") if e["verdict"] in ("fail", "warn", "inconclusive")]
        self.assertEqual(blamed, [], run.told())
        for event in run.events("case_finished"):
            if event["verdict"] == "error":
                self.assertEqual(event["error_type"], "rig", event["message"])

    def test_a_broker_that_dies(self):
        with lab.temporary_folder() as folder:
            process = lab.start(folder, "--area", "sni", "--area", "modes")
            killed, is_on, is_seen = [], False, False
            for event in lab.follow(f"{folder}/out/events.jsonl", process):
                if event.get("unit") != "virtual-1":
                    continue
                is_on = is_on or (event["type"] == "case_started" and event["case"] == "MODE-01")
                is_seen = is_seen or event.get("verdict") == "error"
                # One that was about to end anyway is not missed; the next one is.
                if is_on and not is_seen and event.get("kind") == "connack":
                    worker = next(e["pid"] for e in lab.Run(f"{folder}/out", 0, "").events("unit_started")
                                  if e["unit"] == "virtual-1")
                    for pid in brokers_of(worker):
                        with contextlib.suppress(ProcessLookupError):
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


    def test_a_name_server_that_cannot_listen(self):
        """Somebody else answers at its place in the unit's network."""
        with lab.temporary_folder() as folder:
            lab_file = lab.lab_file(folder)
            squatter = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((\"127.0.0.1\", 53)); print(flush=True); input()"
            script = f'''
                pid=$(/usr/bin/python3 -c 'import json; print(next(b["namespace_pid"] for b in
                    json.load(open("'$UMOCKDEV_DIR'/lab.json"))["boards"] if b["unit"] == "virtual-1"))')
                mkfifo {folder}/held {folder}/bound
                nsenter --target $pid --net /usr/bin/python3 -c '{squatter}' <{folder}/held >{folder}/bound &
                exec 9>{folder}/held
                read line <{folder}/bound
                {" ".join(lab.hilmark("run", "--lab", lab_file, "--out", folder + "/out", "--case", "LIFE-06", "--case", "SNI-0[12]"))}
                status=$?
                exec 9>&-
                wait
                exit $status'''
            done = subprocess.run(lab.on_the_lab("bash", "-c", script, lab=lab_file), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=120, check=False)
            run = lab.Run(f"{folder}/out", done.returncode, done.stderr)
            self.assertEqual(run.status, 3, run.told())
            self.assert_nobody_is_blamed(run)
            self.assertEqual({e["verdict"] for e in run.events("case_finished") if e["unit"] == "virtual-1"}, set(), run.told())
            self.assertEqual(set(run.verdicts("virtual-2").values()), {"pass"}, run.told())
            finished = next(e for e in run.events("unit_finished") if e["unit"] == "virtual-1")
            self.assertIn("the resolver cannot listen on 127.0.0.1:53: Address already in use", finished["message"])


class FullDisk(unittest.TestCase):
    """A file system of its own, too small for what is to come."""

    def setUp(self):
        self.folder = self.enterContext(lab.temporary_folder())
        self.disk = pathlib.Path(self.folder) / "disk"
        self.disk.mkdir()

    def mount(self, kib):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(self.disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)

    def run_to_its_end(self, out, *environment):
        lab_file = lab.lab_file(self.folder)
        command = ["env", *environment, *lab.hilmark("run", "--lab", lab_file, "--out", out, "--area", "sni", "--case", "*-0[1-3]")]
        return subprocess.run(lab.on_the_lab(*command, lab=lab_file), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False)

    def test_of_the_reports(self):
        self.mount(64)
        done = self.run_to_its_end(self.disk / "out")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("events.jsonl: No space left on device", done.stderr)
        self.assertEqual(lab.processes_with(self.folder), {})
        blamed = [line for line in done.stderr.splitlines() if " fail " in line or " inconclusive " in line]
        self.assertEqual(blamed, [])

    def test_of_the_workers_folders(self):
        self.mount(4)
        done = self.run_to_its_end(pathlib.Path(self.folder) / "out", f"TMPDIR={self.disk}")
        self.assertIn(done.returncode, (2, 3), done.stderr)
        self.assertIn("No space left on device", done.stderr)
        blamed = [line for line in done.stderr.splitlines() if " fail " in line or " inconclusive " in line]
        self.assertEqual(blamed, [])


if __name__ == "__main__":
    unittest.main()
