"""`hilmark boards scan` and `boards udev`, on the virtual lab."""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

import lab


def on_the_lab(*command):
    return subprocess.run(lab.on_the_lab(*command), capture_output=True, text=True, timeout=60)


class Boards(unittest.TestCase):
    def scan(self, *wrapper):
        done = on_the_lab(*wrapper, *lab.hilmark("boards", "scan", "--json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        return {device["port"]: device for device in json.loads(done.stdout)["devices"]}

    def test_scan_tells_what_is_plugged_in(self):
        devices = self.scan()
        self.assertEqual(sorted(devices), ["1-1", "1-2", "1-3"])
        board = devices["1-1"]
        self.assertEqual((board["id"], board["serial"], board["state"]), ("0483:df11", "V0001", "bootloader"))
        self.assertIn("virtual_stm32h7", board["boards"])
        self.assertEqual((board["trouble"], board["holder"]), ("", ""))

    def test_scan_names_who_holds_a_board(self):
        # The wrapper holds the lock of port 1-2, by the name that the rig gives it, while the scan runs.
        holder = (
            "import fcntl, os, pathlib, subprocess, sys\n"
            "name = pathlib.Path(os.environ['UMOCKDEV_DIR']).name + '-1-2.lock'\n"
            "folder = pathlib.Path('/run/lock/hilmark')\n"
            "if not folder.exists():\n"
            "    folder.mkdir(exist_ok=True)\n"
            "    folder.chmod(0o1777)\n"
            "with open(folder / name, 'w') as file:\n"
            "    fcntl.flock(file, fcntl.LOCK_EX)\n"
            "    print(f'pid {os.getpid()}: test', file=file, flush=True)\n"
            "    status = subprocess.run(sys.argv[1:]).returncode\n"
            "    for port in ('1-1', '1-3'):\n"
            "        assert not (folder / name.replace('1-2', port)).exists(), 'a scan takes no lock'\n"
            "    os.unlink(file.name)\n"
            "    sys.exit(status)\n"
        )
        devices = self.scan(sys.executable, "-c", holder)
        self.assertRegex(devices["1-2"]["holder"], r"^pid \d+: test$")
        self.assertEqual(devices["1-1"]["holder"], "")

    def test_all_boards_are_listed_with_what_flashes_them(self):
        done = subprocess.run(lab.hilmark("boards", "--json"), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        flashers = {board["board"]: board["flasher"] for board in json.loads(done.stdout)["boards"]}
        files = {path.stem for path in pathlib.Path("boards").glob("*.yaml")}
        self.assertEqual(set(flashers), files)
        # The board's own, the chip's, and a tool of the chip's.
        told = (flashers["nucleo_f429zi"], flashers["rpi_pico_w"], flashers["esp32_devkitc"])
        self.assertEqual(told, ("st-flash", "picoboot", "esptool"))

    def test_udev_rules_are_printed_and_written(self):
        printed = subprocess.run(lab.hilmark("boards", "udev"), capture_output=True, text=True, timeout=60)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.assertIn('ATTR{idVendor}=="0483", ATTR{idProduct}=="df11"', printed.stdout)
        of_a_probe = 'SUBSYSTEM=="tty", ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b"'
        self.assertIn(of_a_probe, printed.stdout, "whose serial port is a board's console")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "60-hilmark.rules"
            command = lab.hilmark("boards", "udev", "--install", "--file", file)
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(file.read_text(), printed.stdout)
            self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o644)

    def test_where_it_may_not_write_it_says_what_to_do(self):
        command = lab.hilmark("boards", "udev", "--install", "--file", "/nowhere/60-hilmark.rules")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("sudo tee /nowhere/60-hilmark.rules", done.stderr)


if __name__ == "__main__":
    unittest.main()
