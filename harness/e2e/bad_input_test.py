#!/usr/bin/python3
"""Bad input ends with 2 and one clear sentence, before anything is touched; trouble on the bench is the rig's."""

import os
import pathlib
import subprocess
import unittest

import lab

class BadInput(unittest.TestCase):
    def refused(self, *arguments, says, environment=None):
        with lab.temporary_folder() as folder:
            lab_path = lab.lab_file(folder)
            words = [lab_path if word == "LAB" else word for word in arguments]
            command = lab.on_the_lab(*lab.hilmark("run", *words, "--out", f"{folder}/out"), lab=lab_path)
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                  check=False, env={**os.environ, **(environment or {})})
            self.assertEqual(done.returncode, 2, done.stderr)
            for text in says:
                self.assertIn(text, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.assertFalse(pathlib.Path(f"{folder}/out/events.jsonl").exists(), "a unit may have been touched")

    def test_an_unknown_unit(self):
        self.refused("--lab", "LAB", "--unit", "virtual-9", says=["virtual-9", "virtual-1"])

    def test_an_unknown_case(self):
        self.refused("--lab", "LAB", "--case", "SNI-99", says=["SNI-99"])

    def test_a_lab_file_that_is_not_there(self):
        self.refused("--lab", "nowhere.yaml", says=["nowhere.yaml"])

    def test_a_lab_file_with_an_unknown_key_names_file_and_line(self):
        with lab.temporary_folder() as folder:
            path = pathlib.Path(folder) / "bad.yaml"
            path.write_text("version: 1\ncolour: blue\nunits: []\n")
            self.refused("--lab", path, says=["bad.yaml:2", "colour"])

    def test_an_image_cut_short(self):
        with lab.temporary_folder() as folder:
            path = pathlib.Path(folder) / "cut.img"
            path.write_bytes((lab.IMAGES / "golden.img").read_bytes()[:-100])
            self.refused("--lab", "LAB", "--firmware", path, says=["cut.img"])

    def test_an_image_for_another_chip(self):
        with lab.temporary_folder() as folder:
            path = pathlib.Path(folder) / "other.img"
            content = bytearray((lab.IMAGES / "golden.img").read_bytes())
            content[24:48] = b"rp2040".ljust(24, b"\0")
            import struct
            import zlib
            content[88:92] = struct.pack("<I", zlib.crc32(bytes(content[:88])))
            path.write_bytes(content)
            self.refused("--lab", "LAB", "--firmware", path, says=["rp2040", "stm32h7"])

    def test_mosquitto_missing(self):
        self.refused("--lab", "LAB", says=["mosquitto"], environment={"HILMARK_MOSQUITTO": "/nowhere/mosquitto"})


class TroubleOnTheBench(unittest.TestCase):
    def unplugged(self, at):
        """Unplugs virtual-1 at the first event for which `at` is true."""
        with lab.temporary_folder() as folder:
            lab_path = lab.lab_file(folder)
            process = lab.start(folder, "--area", "sni", "--area", "modes")
            done = False
            for event in lab.follow(f"{folder}/out/events.jsonl", process):
                if not done and event.get("unit") == "virtual-1" and at(event):
                    done = True
                    pid = next(pid for pid, command in lab.processes_with(folder).items() if "worker" in command)
                    words = pathlib.Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
                    environment = dict(word.split("=", 1) for word in words if "=" in word)
                    subprocess.run([lab.BUILD / "virtual-lab", "ctl", "unplug", "1-1"], check=True, capture_output=True,
                                   env=environment)
            stderr = process.communicate()[1]
            run = lab.Run(f"{folder}/out", process.returncode, stderr)
            self.assertTrue(done, f"never came to it: {lab_path}")
            self.assertEqual(run.status, 3, run.told())
            self.assertNotIn("fail", run.verdicts("virtual-1").values(), run.told())
            self.assertEqual(set(run.verdicts("virtual-2").values()), {"pass"}, run.told())
            self.assertIn('type="rig"', (run.folder / "junit.xml").read_text())

    def test_unplugged_during_flash(self):
        self.unplugged(lambda event: event["type"] == "progress" and 0.2 < event["fraction"] < 0.9)

    def test_unplugged_during_provisioning(self):
        self.unplugged(lambda event: event["type"] == "progress" and event["step"] == "provision")

    def test_unplugged_during_a_case(self):
        self.unplugged(lambda event: event["type"] == "case_started" and event["case"] == "MODE-02")


class Silence(unittest.TestCase):
    def test_a_firmware_that_shows_no_life_is_inconclusive_and_the_rest_is_blocked(self):
        with lab.temporary_folder() as folder:
            image = pathlib.Path(folder) / "silent.img"
            subprocess.run([lab.BUILD / "boards/reference/make_image", "stm32h7", "golden", "/usr/bin/true", image], check=True)
            run = lab.run(folder, "--unit", "virtual-1", "--firmware", image)
            verdicts = run.verdicts("virtual-1")
            self.assertEqual(verdicts.pop("LIFE-06"), "inconclusive", run.told())
            self.assertEqual(set(verdicts.values()), {"skip"}, run.told())
            self.assertEqual(run.status, 3, run.told())

    def test_a_firmware_that_shows_life_and_never_connects_fails(self):
        with lab.temporary_folder() as folder:
            run = lab.run(folder, "--unit", "virtual-1", "--case", "LIFE-06", "--firmware", lab.IMAGES / "dead-on-arrival.img")
            self.assertEqual(run.verdicts("virtual-1"), {"LIFE-06": "fail"}, run.told())
            self.assertEqual(run.status, 1, run.told())


if __name__ == "__main__":
    unittest.main()
