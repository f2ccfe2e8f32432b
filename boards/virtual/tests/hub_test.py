#!/usr/bin/env python3
"""The virtual lab's hubs as uhubctl meets them: the root hub, and hubs with a USB 3 half.

usage: hub_test.py BUILD_FOLDER [TEST...]"""

import sys
import unittest

sys.dont_write_bytecode = True
from lab_fixture import Lab, process_is_there, run_tests, wait_for  # noqa: E402

HUB_LAB = """version: 1
virtual: {hubs: [{port: "1-4", ports: 4, usb3: container-id}]}
units:
  - {id: v1, kind: virtual, board: virtual_stm32h7, virtual: {port: "1-4.2", serial: V1, core: native}}
"""


class Hubs(unittest.TestCase):
    def test_uhubctl_switches_ports_of_the_root_hub(self):
        with Lab(units=2) as lab:
            listed = lab.uhubctl()
            self.assertRegex(listed, r"hub 1 \[1d6b:0002 .*USB 2.00, 4 ports, ppps\]")
            self.assertRegex(listed, r"Port 2: 0103 power enable connect \[0483:df11 .* V2\]")
            self.assertRegex(listed, r"Port 3: 0100 power\n")
            self.assertRegex(lab.uhubctl("-l", "1", "-p", "2", "-a", "off"), r"New status .*\n  Port 2: 0000 off\n")
            wait_for("power off", lambda: lab.status("1-2")["state"] == "unpowered")
            self.assertEqual(lab.run("lsusb").count("0483:"), 1)
            lab.control("power", "1-2", "on")
            self.assertRegex(lab.uhubctl("-l", "1", "-p", "2"), "Port 2: 01.. power")
            lab.await_plug(2, "1-2")
            lab.control("power", "1-2", "off")
            self.assertIn("Port 2: 0000 off", lab.uhubctl("-l", "1", "-p", "2"))

    def test_uhubctl_switches_both_halves_of_a_hub(self):
        with Lab(text=HUB_LAB) as lab:
            listed = lab.uhubctl()
            self.assertRegex(listed, r"hub 1-4 \[1209:0d02 hilmark Virtual hub HUB4, USB 2.10, 4 ports, ppps\]")
            self.assertRegex(listed, r"hub 2-4 \[1209:0d03 hilmark Virtual hub HUB4, USB 3.00, 4 ports, ppps\]")
            self.assertRegex(listed, r"Port 2: 0103 power enable connect \[0483:df11 .* V1\]")
            self.assertIn("Port 4: 0103 power enable connect [1209:0d02", listed)
            tree = lab.run("lsusb", "-t")
            self.assertRegex(tree, r"5000M")
            self.assertRegex(tree, r"480M\n +\|__ Port 2: Dev \d+, If 0, .*12M")
            lab.boot_behind_hub()
            core = lab.status("1-4.2")["core_pid"]
            told = lab.uhubctl("-l", "1-4", "-p", "2", "-a", "off")
            self.assertRegex(told, r"New status for hub 1-4 .*\n  Port 2: 0000 off\n")
            self.assertRegex(told, r"New status for hub 2-4 .*\n  Port 2: 0080 off\n")
            wait_for("power off", lambda: lab.status("1-4.2")["state"] == "unpowered")
            self.assertFalse(process_is_there(core))
            self.assertNotIn("0483:", lab.run("lsusb"))
            lab.uhubctl("-l", "2-4", "-p", "2", "-a", "on")
            lab.await_plug(3, "1-4.2")
            lab.control("power", "1-4.2", "off")
            self.assertEqual(lab.status("1-4.2")["state"], "unpowered")
            self.assertEqual(lab.uhubctl("-l", "1-4", "-p", "2").count(" off\n"), 2)

    def test_a_hubs_port_feeds_its_board_until_both_halves_are_off(self):
        with Lab(text=HUB_LAB) as lab:
            lab.boot_behind_hub()
            before = lab.status("1-4.2")

            def switch(hub, action):
                lab.uhubctl("-e", "-l", hub, "-p", "2", "-a", action)

            switch("2-4", "off")
            self.assertEqual(lab.status("1-4.2")["device_number"], before["device_number"])
            switch("2-4", "on")
            switch("1-4", "off")
            away = wait_for("its departure", lambda: (now := lab.status("1-4.2"))["device_number"] is None and now)
            self.assertEqual((away["state"], away["power"], away["core_pid"]), ("application", True, before["core_pid"]))
            self.assertNotIn("0483:", lab.run("lsusb"))
            switch("1-4", "on")
            self.assertEqual(lab.await_plug(before["plug_count"] + 1, "1-4.2")["core_pid"], before["core_pid"])
            switch("1-4", "off")
            switch("2-4", "off")
            wait_for("power off", lambda: lab.status("1-4.2")["state"] == "unpowered")
            self.assertFalse(process_is_there(before["core_pid"]))
            # What is on at one half alone starts it, where nobody sees it.
            switch("2-4", "on")
            unseen = wait_for("its start", lambda: (now := lab.status("1-4.2"))["core_pid"] and now)
            self.assertEqual((unseen["state"], unseen["device_number"]), ("application", None))

    def test_a_hub_that_loses_its_port_takes_its_boards_along(self):
        with Lab(text=HUB_LAB) as lab:
            lab.boot_behind_hub()
            lab.uhubctl("-e", "-l", "1", "-p", "4", "-a", "off")
            wait_for("the hub's departure", lambda: "1209:0d02" not in lab.run("lsusb"))
            self.assertEqual(lab.status("1-4.2")["device_number"], None)
            self.assertIn("1209:0d03", lab.run("lsusb"))
            plugs = lab.status("1-4.2")["plug_count"]
            lab.uhubctl("-e", "-l", "1", "-p", "4", "-a", "on")
            lab.await_plug(plugs + 1, "1-4.2")
            self.assertRegex(lab.uhubctl("-e", "-l", "1-4"), r"Port 2: 0103 power enable connect \[0483:5740")


if __name__ == "__main__":
    run_tests(Hubs)
