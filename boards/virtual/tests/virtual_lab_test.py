#!/usr/bin/env python3
"""virtual-lab as its users meet it: with lsusb, dfu-util, a libusb program and a small firmware.

usage: virtual_lab_test.py BUILD_FOLDER [TEST...]"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from lab_fixture import DEADLINE_S, Lab, Programs, command_line, image, process_is_there, run_tests, wait_for  # noqa: E402

OWN_TROUBLE = 125
TTY_CLIENT = pathlib.Path(__file__).with_name("tty_client.py")


def run_bare(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=DEADLINE_S, **options)


class VirtualLab(unittest.TestCase):
    # What programs see

    def test_lsusb_and_dfu_util_list_the_boards(self):
        with Lab(units=2) as lab:
            listed = lab.run("lsusb")
            self.assertEqual(listed.count("ID 0483:df11"), 2)
            self.assertIn("ID 1d6b:0002", listed)
            self.assertIn("bNumInterfaces", lab.run("lsusb", "-v"))
            self.assertEqual(lab.run("lsusb", "-t").count("12M"), 2)
            found = lab.run("dfu-util", "-l")
            for number in (1, 2):
                self.assertRegex(found, rf'Found DFU: \[0483:df11\].*path="1-{number}".*name="@Internal Flash.*'
                                        rf'16\*128Kg", serial="V{number}"')

    def test_the_lab_tells_where_it_is(self):
        with Lab(units=2) as lab:
            facts = lab.facts()
            self.assertEqual(facts["version"], 1)
            first = facts["boards"][0]
            self.assertEqual([first[key] for key in ("unit", "port", "serial", "chip")], ["v1", "1-1", "V1", "stm32h7"])
            self.assertTrue(process_is_there(first["namespace_pid"]))
            self.assertTrue(pathlib.Path(facts["control"]).is_socket())

    def test_dfu_util_reads_back_what_it_wrote(self):
        data = random.Random(1).randbytes(300_001)
        with Lab() as lab:
            lab.download(data, leave=False)
            self.assertEqual(lab.upload(len(data)), data)
            flash = lab.status()["flash"]
            self.assertEqual(flash["erases"][:4], [1, 1, 1, 0])
            self.assertEqual(flash["programs"][:4], [64, 64, 19, 0])

    def test_two_boards_are_flashed_at_once_and_do_not_mix(self):
        with Lab(units=2) as lab:
            lab.download(b"one" * 1000, leave=False, serial="V1")
            lab.download(b"two" * 1000, leave=False, serial="V2")
            self.assertEqual(lab.upload(3000, serial="V1"), b"one" * 1000)
            self.assertEqual(lab.upload(3000, serial="V2"), b"two" * 1000)

    # Firmware

    def test_a_flashed_image_boots_and_talks(self):
        with Lab() as lab:
            lab.boot_test_core()
            self.assertEqual(lab.console("echo hello", "echo again"), ["hello", "again"])
            self.assertRegex(lab.run("dfu-util", "-l"), r'Found Runtime: \[0483:5740\].*intf=2, path="1-1".*serial="V1"')

    def test_firmware_finds_what_the_contract_promises(self):
        with Lab() as lab:
            lab.boot_test_core()
            where, rom = lab.console("where", "rom")
            self.assertEqual(where, "/ env:PATH fd:0 fd:1 fd:2 fd:3 fd:4 fd:5 net:lo:up")
            self.assertEqual(rom, f"{len(image())} HMIMAGE1 ro")
            self.assertIn("test core on standard error", (lab.folder / "log").read_text())

    def test_firmware_keeps_its_own_sectors_over_reset_and_flashing(self):
        with Lab() as lab:
            lab.boot_test_core()
            self.assertEqual(lab.console("program 0x180000 cafe", "program 0 00", "read 0x180000 3"),
                             ["0 ", "-14 ", "0 cafeff"])
            lab.client("hush", "1-1", "bootloader")
            lab.await_bootloader()
            lab.boot_test_core()
            self.assertEqual(lab.console("read 0x180000 3", "erase 0x180000", "read 0x180000 2"),
                             ["0 cafeff", "0 ", "0 ffff"])

    def test_the_bus_refuses_malformed_requests(self):
        with Lab() as lab:
            lab.boot_test_core()
            invalid = "eaffffff"
            self.assertEqual(lab.console("raw 01", "raw 070000000000000000000000", "raw 0100000000001800ffffffff"),
                             [invalid] * 3)

    def test_firmware_resets_its_board(self):
        with Lab() as lab:
            lab.boot_test_core()
            before = lab.status()
            self.assertEqual(lab.console("reset"), ["resetting"])
            after = lab.await_plug(before["plug_count"] + 1)
            self.assertNotEqual(after["core_pid"], before["core_pid"])
            self.assertNotEqual(after["device_number"], before["device_number"])
            self.assertFalse(process_is_there(before["core_pid"]))

    def test_nothing_of_an_earlier_firmware_is_left_on_the_console(self):
        with Lab() as lab:
            lab.boot_test_core()
            lab.client("hush", "1-1", "echo stale")
            plugs = lab.status()["plug_count"]
            lab.control("reset", "1-1")
            lab.await_plug(plugs + 1)
            self.assertEqual(lab.console("echo fresh"), ["fresh"])

    def test_a_crashed_firmware_leaves_a_silent_board(self):
        with Lab() as lab:
            lab.boot_test_core()
            before = lab.status()
            lab.client("hush", "1-1", "exit")
            status = wait_for("the firmware's end", lambda: (now := lab.status())["firmware_ended"] and now)
            self.assertEqual(status["firmware_ended"], "the firmware ended with 7")
            self.assertEqual((status["state"], status["core_pid"]), ("application", None))
            lab.client("hush", "1-1", "echo nobody listens")
            self.assertIn("ID 0483:5740", lab.run("lsusb"))
            lab.control("reset", "1-1")
            lab.await_plug(before["plug_count"] + 1)
            self.assertEqual(lab.console("echo back"), ["back"])

    def test_a_power_cut_takes_the_firmwares_children_too(self):
        with Lab() as lab:
            lab.boot_test_core()
            child = int(lab.console("fork")[0])
            core = lab.status()["core_pid"]
            self.assertTrue(process_is_there(child))
            lab.control("power", "1-1", "off")
            wait_for("their end", lambda: not process_is_there(child) and not process_is_there(core))

    def test_a_babbling_firmware_is_not_held_up_and_loses_its_oldest(self):
        with Lab() as lab:
            lab.boot_test_core()
            lab.client("hush", "1-1", "babble 200000")
            wait_for("dropped output", lambda: lab.status()["console_bytes_dropped"] >= 200_000 - 65536)
            lines = lab.client("drain", "1-1", "babbled").splitlines()
            self.assertLess(len(lines), 700)
            self.assertEqual(lines[-2], f"babble {1999:092}")

    def test_a_deaf_firmware_holds_up_its_host_and_loses_nothing(self):
        with Lab() as lab:
            lab.boot_test_core()
            long_line = "x" * 10_000
            answers = lab.console("deaf 100", *["echo " + long_line] * 5)
            self.assertEqual(answers, ["hears again"] + [long_line] * 5)

    # Bootloader

    def test_a_damaged_image_stays_in_the_bootloader(self):
        damaged = bytearray(image())
        damaged[5000] ^= 1
        with Lab() as lab:
            for data, because in ((bytes(damaged), "sum over code"), (image()[:-1], "sum over code"),
                                  (image(chip="stm32f4"), "stm32f4"), (b"\0" * 500, "magic")):
                plugs = lab.status()["plug_count"]
                lab.download(data)
                status = lab.await_plug(plugs + 1)
                self.assertEqual((status["state"], status["core_pid"]), ("bootloader", None), because)
                self.assertIn(because, status["no_image_because"])

    def test_the_boot_pin_brings_the_bootloader_at_reset_and_power_on(self):
        with Lab() as lab:
            lab.boot_test_core()
            lab.control("boot-pin", "1-1", "on")
            self.assertEqual(lab.status()["state"], "application")
            lab.control("reset", "1-1")
            lab.await_bootloader()
            lab.control("power", "1-1", "off")
            lab.control("power", "1-1", "on")
            self.assertEqual(lab.await_plug(4)["state"], "bootloader")
            lab.control("boot-pin", "1-1", "off")
            lab.control("reset", "1-1")
            lab.await_application()

    def test_dfu_util_detaches_a_running_application(self):
        with Lab() as lab:
            lab.boot_test_core()
            lab.run("dfu-util", "-d", "0483:5740", "-S", "V1", "-e", status=None)
            lab.await_bootloader()
            self.assertEqual(lab.upload(1000), image()[:1000])

    # Hands on the bench

    def test_power_by_control(self):
        with Lab(units=2) as lab:
            lab.control("power", "1-1", "off")
            listed = lab.run("lsusb")
            self.assertEqual(listed.count("ID 0483:df11"), 1)
            self.assertEqual(lab.status()["state"], "unpowered")
            lab.control("power", "1-1", "on")
            lab.await_bootloader()

    def test_power_by_the_hub_cuts_the_firmware(self):
        with Lab() as lab:
            lab.boot_test_core()
            core = lab.status()["core_pid"]
            lab.client("hub", "1-1", "off")
            wait_for("power off", lambda: lab.status()["state"] == "unpowered")
            self.assertFalse(process_is_there(core))
            self.assertNotIn("0483:", lab.run("lsusb"))
            lab.client("hub", "1-1", "on")
            lab.await_application()
            self.assertEqual(lab.console("echo again"), ["again"])

    def test_the_console_is_a_tty_where_the_lab_file_says_so(self):
        with Lab(units=2, more=", tty: true") as lab:
            lab.boot_test_core()
            self.assertEqual(lab.run(sys.executable, TTY_CLIENT, "where").split(),
                             ["/dev/ttyACM0", "166:0", "True", "1-1:1.0", "V1", "cdc_acm"])
            lab.boot_test_core(serial="V2", port="1-2")
            appears = "until [ -e /sys/class/tty/ttyACM1 ]; do :; done"  # a moment after the USB device
            self.assertEqual(lab.run("sh", "-c", appears + "; ls /dev/ttyACM* /sys/class/tty").split(),
                             ["/dev/ttyACM0", "/dev/ttyACM1", "/sys/class/tty:", "ttyACM0", "ttyACM1"])

    def test_a_tty_carries_a_thousand_lines_and_can_be_opened_again(self):
        with Lab(more=", tty: true") as lab:
            lab.boot_test_core()
            for _ in range(2):  # the first has had it for itself
                self.assertEqual(lab.run(sys.executable, TTY_CLIENT, "echo", "1000").strip(), "1000 lines came back")

    def test_unplugging_hangs_a_tty_up(self):
        with Lab(more=", tty: true") as lab:
            lab.boot_test_core()
            client = lab.start(sys.executable, TTY_CLIENT, "unplug")
            self.assertEqual(client.stdout.readline(), "pending\n")
            lab.control("unplug", "1-1")
            self.assertEqual(client.communicate(timeout=DEADLINE_S)[0].split(), ["hung-up,", "EIO"])
            self.assertEqual(client.returncode, 0)
            self.assertNotIn("ttyACM0", lab.run("ls", "/dev", "/sys/class/tty", status=None))
            lab.control("plug", "1-1")
            lab.await_application()
            self.assertEqual(lab.run(sys.executable, TTY_CLIENT, "echo", "3").strip(), "3 lines came back")

    def test_unplugging_ends_a_pending_transfer(self):
        with Lab() as lab:
            lab.boot_test_core()
            lab.client("drain", "1-1", "+BOOT test")
            client = lab.start(Programs.usb_client, "unplug", "1-1")
            self.assertEqual(client.stdout.readline(), "pending\n")
            lab.control("unplug", "1-1")
            no_device = "5"
            self.assertEqual(client.communicate(timeout=DEADLINE_S)[0].strip(), no_device)
            lab.control("plug", "1-1")
            lab.await_application()

    def test_unplugging_ends_a_download_and_the_board_flashes_again(self):
        with Lab() as lab:
            path = lab.folder / "big"
            path.write_bytes(bytes(1_500_000))
            tool = lab.start("dfu-util", "-S", "V1", "-a", "0", "-s", "0x08000000", "-D", path)
            wait_for("programming", lambda: sum(lab.status()["flash"]["programs"]) > 3)
            lab.control("unplug", "1-1")
            tool.communicate(timeout=DEADLINE_S)
            self.assertGreater(tool.returncode, 0)
            lab.control("plug", "1-1")
            lab.await_bootloader()
            lab.boot_test_core()

    def test_commands_that_make_no_sense_are_refused(self):
        with Lab() as lab:
            for words in (["dance"], ["power", "1-1"], ["power", "1-1", "maybe"], ["reset", "1-9"], ["status"],
                          ["plug", "1-1", "on"], ["list", "1-1"], ["x" * 5000]):
                lab.control(*words, status=1)
            self.assertEqual(lab.status()["unit"], "v1")
            self.assertEqual(lab.status(port="v1")["port"], "1-1")
            self.assertTrue(lab.control("list").startswith('[{"version":1,"unit":"v1"'))

    # Clients

    def test_a_killed_clients_claim_is_free(self):
        with Lab() as lab:
            holder = lab.start(Programs.usb_client, "hold", "1-1")
            self.assertEqual(holder.stdout.readline(), "held\n")
            self.assertEqual(lab.client("claim", "1-1"), "LIBUSB_ERROR_BUSY\n")
            holder.kill()
            holder.communicate()
            wait_for("the claim", lambda: lab.client("claim", "1-1") == "held\n")

    def test_an_executed_program_does_not_inherit_a_devices_connection(self):
        list_sockets = "import os, subprocess\nfd = os.open('/dev/bus/usb/001/002', os.O_RDWR)\n" \
                       "subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, check=True)\n"
        with Lab() as lab:
            listed = lab.run("python3", "-c", list_sockets)
            self.assertIn("/proc/", listed)
            self.assertNotIn("socket:", listed)

    def test_a_hostile_client_harms_nobody(self):
        with Lab() as lab:
            lab.boot_test_core()
            self.assertEqual(lab.client("hostile", "1-1"), "refused 13 of 13, then a bound\n")
            self.assertEqual(lab.console("echo fine"), ["fine"])

    def test_waiting_costs_no_processor_time(self):
        def ticks(pid):
            return sum(int(word) for word in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])

        with Lab() as lab:
            lab.boot_test_core()
            lab.client("drain", "1-1", "+BOOT test")
            client = lab.start(Programs.usb_client, "idle", "1-1", "1")
            self.assertEqual(client.stdout.readline(), "pending\n")
            before = ticks(lab.process.pid)
            used_ms = int(client.communicate(timeout=DEADLINE_S)[0])
            self.assertLess(used_ms, 100, "of 1000 ms, by the client")
            self.assertLess(ticks(lab.process.pid) - before, 10, "hundredths of a second, by the lab")

    def test_failed_opens_do_not_abort_a_client(self):
        with Lab() as lab:
            many = "import os\nfor i in range(200):\n  try: os.open('/dev/ttyACM0', 0)\n  except OSError: pass\n"
            lab.run("python3", "-c", many + "print('alive')")

    def test_opening_ordinary_devices_leaks_nothing(self):
        with Lab() as lab:
            lab.run("python3", "-c", "import os\nfor i in range(2000): os.close(os.open('/dev/null', os.O_RDWR))")
            lab.run("sh", "-c", "i=0; while [ $i -lt 2000 ]; do : >/dev/null; i=$((i + 1)); done")

    def test_watchers_in_pid_namespaces_of_their_own_all_see_a_board_come(self):
        with Lab() as lab:
            lab.control("power", "1-1", "off")
            isolated = ["unshare", "-U", "-r", "-p", "-f", "--kill-child"]
            if run_bare(*isolated, "true").returncode != 0:
                self.skipTest("user namespaces are forbidden here")
            watchers = [lab.start(*isolated, Programs.usb_client, "await", "1-1", "0483:df11") for _ in range(3)]
            wait_for("three listeners", lambda: len(list(lab.root.glob("event*"))) == 3)
            lab.control("power", "1-1", "on")
            for watcher in watchers:
                output = watcher.communicate(timeout=DEADLINE_S)[0]
                self.assertEqual(watcher.returncode, 0, output)

    # Flash that is kept

    def test_state_keeps_the_flash(self):
        with tempfile.TemporaryDirectory() as state:
            with Lab(state=state) as lab:
                lab.boot_test_core()
                lab.console("program 0x180000 cafe")
            flash = (pathlib.Path(state) / "v1.flash").read_bytes()
            self.assertEqual(len(flash), 2 << 20)
            self.assertEqual(flash[:len(image())], image())
            with Lab(state=state) as lab:
                self.assertEqual(lab.status()["state"], "application")
                self.assertEqual(lab.console("read 0x180000 2"), ["0 cafe"])
                second = run_bare(Programs.virtual_lab, "--lab", lab.lab_file, "--state", state, "--", "true")
                self.assertEqual(second.returncode, OWN_TROUBLE)
                self.assertIn("in use by another virtual-lab", second.stderr)

    def test_state_survives_kill_9(self):
        with tempfile.TemporaryDirectory() as state:
            with Lab(state=state) as lab:
                lab.boot_test_core()
                lab.kill()
            with Lab(state=state) as lab:
                self.assertEqual(lab.status()["state"], "application")

    # The program itself

    def run_lab(self, *command, lab_text=None):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "lab.yaml"
            unit = '{id: v1, kind: virtual, board: virtual_stm32h7, virtual: {port: "1-1", serial: V1, core: native}}'
            path.write_text(lab_text or f"version: 1\nunits: [{unit}]\n")
            return run_bare(Programs.virtual_lab, "--lab", path, "--", *command)

    def test_the_commands_end_is_passed_through(self):
        self.assertEqual(self.run_lab("true").returncode, 0)
        self.assertEqual(self.run_lab("sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(self.run_lab("sh", "-c", "kill -TERM $$").returncode, 128 + signal.SIGTERM)
        self.assertEqual(self.run_lab("no-such-program-here").returncode, 127)
        self.assertEqual(self.run_lab("/etc/passwd").returncode, 126)

    def test_signals_reach_the_command(self):
        # No builtin that blocks: a signal that comes just before a shell's `read` waits for a line.
        trap = "trap 'exit 42' %s; echo $$ $UMOCKDEV_DIR $LD_PRELOAD; while :; do :; done"
        for name in ("INT", "TERM", "HUP"):
            with Lab(command=trap % name) as lab:
                lab.process.send_signal(getattr(signal, "SIG" + name))
                self.assertEqual(lab.process.wait(DEADLINE_S), 42)

    def test_nothing_is_left_when_it_ends(self):
        with Lab(units=2) as lab:
            lab.boot_test_core()
            started = lab.processes()
        wait_for("the end of all", lambda: not any(process_is_there(pid) for pid in started))
        self.assertFalse(lab.root.exists())

    def test_nothing_is_left_after_kill_9(self):
        with Lab(units=2) as lab:
            lab.boot_test_core()
            started = lab.processes()
            self.assertEqual(len(started), 5)
            lab.kill()
            wait_for("the end of all", lambda: not any(process_is_there(pid) for pid in started))
            wait_for("the removal of its folder", lambda: not lab.root.exists())

    def test_kill_9_of_all_that_has_its_command_line_leaves_no_folder(self):
        with Lab() as lab:
            mine = str(lab.lab_file).encode()
            for pid in (int(entry.name) for entry in pathlib.Path("/proc").glob("[0-9]*")):
                if mine in command_line(pid):
                    self.assertEqual(pid, lab.process.pid, "a helper passes for the lab itself")
            lab.kill()
            wait_for("the removal of its folder", lambda: not lab.root.exists())

    def test_a_client_that_is_left_behind_does_not_hold_up_the_end(self):
        held = f"{Programs.usb_client} hold 1-1 >$UMOCKDEV_DIR/said 2>&1 </dev/null & echo $!"
        result = self.run_lab("sh", "-c", held + "; until grep -q held $UMOCKDEV_DIR/said; do :; done; exit 3")
        os.kill(int(result.stdout), signal.SIGKILL)
        self.assertEqual(result.returncode, 3, result.stderr)

    def test_its_own_trouble_is_125(self):
        bad = self.run_lab("true", lab_text="version: 1\nunits:\n  - {id: a, kind: virtual, board: b}\n")
        self.assertEqual(bad.returncode, OWN_TROUBLE)
        self.assertRegex(bad.stderr, r"lab.yaml:3: .*virtual:")
        for words in ([], ["--lab", "x"], ["--lab", "/none.yaml", "--", "true"], ["--nonsense"], ["--", "true"],
                      ["ctl", "list"]):
            self.assertEqual(run_bare(Programs.virtual_lab, *words).returncode, OWN_TROUBLE, words)
        with Lab() as lab:
            nested = lab.run(Programs.virtual_lab, "--lab", lab.lab_file, "--", "true", status=OWN_TROUBLE)
            self.assertIn("do not nest", nested)


if __name__ == "__main__":
    run_tests(VirtualLab)
