"""Boards that are flashed by a program of somebody else's: dfu-util unmodified, and scripts in the place of a probe's tool."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

import lab

LAB = "boards/virtual/tool.yaml"
GOLDEN = lab.IMAGES / "golden.img"
CTL = f"{lab.BUILD.resolve() / 'virtual-lab'} ctl"

TOOL = """version: 1
install: "the shelf on the left"
write: {write}
read: {read}
start: {start}
"""
DFU = 'dfu-util -w -p "$1" -a 0'
# What a probe does for a chip: whoever asks need not know in which of its programs it is.
SCRIPTS = {
    "write.sh": f'{CTL} boot-pin "$1" on; {CTL} reset "$1"; {DFU} -s "$3" -D "$2"',
    "read.sh": f'{CTL} boot-pin "$1" on; {CTL} reset "$1"; {DFU} -s "$3:$4" -U "$2"',
    "start.sh": f'{CTL} boot-pin "$1" off; {CTL} reset "$1"; until lsusb -d 0483:5740 >&2; do :; done',
}


class Tool(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(lab.temporary_folder()))
        self.virtual = lab.lab_file(self.folder, LAB)  # what virtual-lab reads
        self.lab = self.virtual
        shutil.copytree("boards/chips", self.folder / "boards/chips")
        (self.folder / "boards/tools").mkdir()

    def board(self, board, name="mine", **tool):
        """Puts a board and its tool beside the project's, and has the unit be that board."""
        text = pathlib.Path("boards/virtual_dfu_util.yaml").read_text()
        for old, new in board.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / f"boards/{name}.yaml").write_text(text.replace("tool: dfu-util", f"tool: {name}"))
        tool_text = TOOL.format(**{key: json.dumps(value) for key, value in tool.items()})
        (self.folder / f"boards/tools/{name}.yaml").write_text(tool_text)
        self.lab = self.folder / f"{name}_lab.yaml"
        self.lab.write_text(pathlib.Path(self.virtual).read_text().replace("virtual_dfu_util", name))

    @staticmethod
    def dfu_util(**changes):
        """dfu-util's template with some of its keys changed."""
        commands = {
            "write": {"command": ["dfu-util", "-p", "{port}", "-a", "0", "-s", "{address}", "-D", "{image}"]},
            "read": {"command": ["dfu-util", "-p", "{port}", "-a", "0", "-s", "{address}:{size}", "-U", "{output}"]},
            "start": {"command": ["dfu-util", "-p", "{port}", "-a", "0", "-s", "{address}:0x100:leave", "-U", "{output}"]},
        }
        for name, change in changes.items():
            commands[name] = {**commands[name], **change}
        return commands

    def by_dfu_util(self, **changes):
        self.board({}, **self.dfu_util(**changes))

    def among_the_boards(self, script, timeout_s=240):
        command = lab.on_the_lab("sh", "-ec", script, lab=self.virtual)
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s,
                              env={**os.environ, "HILMARK_BOARDS": str(self.folder / "boards")})

    def flash(self, *options):
        return " ".join(lab.hilmark("flash", "--lab", self.lab, "--unit", "by-tool", GOLDEN, *options))

    def flashed(self, *options):
        """The exit status and what was said of one flashing, and whether the board was touched."""
        done = self.among_the_boards(f"status=0; {self.flash(*options)} || status=$?; {CTL} status 1-1; exit $status")
        told = [line for line in done.stdout.splitlines() if line.startswith('{"version"')]
        flash = json.loads(told[0])["flash"]
        return done, sum(flash["programs"]) + sum(flash["erases"])

    def run_cases(self, *cases):
        out = self.folder / "out"
        chosen = " ".join(f"--case '{case}'" for case in cases)
        done = self.among_the_boards(" ".join(lab.hilmark("run", "--lab", self.lab, "--out", out)) + " " + chosen)
        return lab.Run(out, done.returncode, done.stderr)

    def test_dfu_util_flashes_from_the_bootloader_and_from_the_application(self):
        done = self.among_the_boards(f"{self.flash()}; {self.flash()}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("octets written and read back"), 2, done.stderr)
        self.assertEqual(done.stderr.count(" runs\n"), 2, done.stderr)

    def test_a_dry_run_tells_the_commands_and_touches_nothing(self):
        done, touched = self.flashed("--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("by dfu-util, and prove that build", done.stdout)
        self.assertIn("dfu-util -p {port} -a 0 -s {address} -D {image}\n", done.stdout)
        self.assertEqual(touched, 0)

    def test_it_is_judged_like_any_other(self):
        run = self.run_cases("LIFE-06", "SNI-0[1-3]", "MOVE-01", "PROV-1[01]")
        self.assertEqual(run.status, 0, run.told())
        self.assertEqual(set(run.verdicts("by-tool").values()), {"pass"}, run.told())
        evidence = run.events("evidence")
        steps = [e["data"]["step"] for e in evidence if e["kind"] == "tool_started"]
        self.assertEqual(steps[:3], ["writing", "verifying", "starting"])
        said = [e["data"]["text"] for e in evidence if e["kind"] == "tool_line"]
        self.assertTrue(any("File downloaded successfully" in line for line in said), said)
        self.assertFalse(any("%" in line for line in said), "progress is no line")
        ended = [e["data"] for e in evidence if e["kind"] == "tool_ended"]
        self.assertEqual({e["status"] for e in ended}, {"exit status 0"})
        self.assertGreater(ended[0]["progress_lines"], 0)

    def test_a_tool_that_is_not_there_is_named_before_anything_is_touched(self):
        self.by_dfu_util(write={"command": ["dfu-utility", "{image}"]})
        for options in ((), ("--dry-run",)):
            done, touched = self.flashed(*options)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("no program dfu-utility in PATH", done.stderr)
            self.assertIn("to get it: the shelf on the left", done.stderr)
            self.assertEqual(touched, 0)
        run = self.run_cases("LIFE-06")
        self.assertEqual(run.status, 2, run.stderr)
        self.assertIn("dfu-utility", run.stderr)

    def test_failures_are_told_for_what_they_are(self):
        shell = ["/bin/sh", "-c"]
        for name, change, status, said in (
            ("success that is not said", {"success": "^Verified by the moon"}, 3, "said nothing that matches '\\^Verified by the moon'"),
            ("failure that is said", {"failure": "^File downloaded"}, 3, "it said 'File downloaded successfully', and ended with exit status 0"),
            ("refusal that is said", {"refusal": "^File downloaded"}, 1, "failed in writing: it said 'File downloaded successfully'"),
            ("exit status", {"command": [*shell, "echo out of paper; exit 74; : {image}"]}, 3, "exit status 74; .*'out of paper'"),
            ("time limit", {"command": [*shell, "echo at it; sleep 600; : {image}"], "timeout_ms": 700}, 3,
             "was not done with writing within 700 ms, and was ended; .*'at it'"),
            ("nothing written", {"command": [*shell, "true {image}"]}, 1, "the flash does not hold what was written"),
        ):
            with self.subTest(name):
                self.by_dfu_util(write=change)
                done, _ = self.flashed()
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertRegex(done.stderr, rf"by-tool: flashing: 0483:df11 .*port 1-1: .*{said}")
                if "echo" in str(change):
                    self.assertRegex(done.stderr, r"(?m)^  (out of paper|at it)$", "its output is shown, too")
        self.assertEqual(lab.processes_with("sleep 600"), {})

    def test_what_was_not_written_is_found_by_reading_back_whatever_the_tool_says(self):
        done = self.among_the_boards(f"{CTL} unplug 1-1; {CTL} faults 1-1 corrupt-flash@0x08000100; {CTL} plug 1-1; "
                                     f"status=0; {self.flash()} || status=$?; echo status $status; "
                                     f"{CTL} unplug 1-1; {CTL} faults 1-1; {CTL} plug 1-1; {self.flash()}")
        self.assertIn("status 1\n", done.stdout, done.stderr)
        self.assertIn("the flash does not hold what was written", done.stderr)
        self.assertEqual(done.stderr.count(" runs\n"), 1, done.stderr)

    def test_what_the_board_refuses_is_the_boards(self):
        done = self.among_the_boards(f"{CTL} unplug 1-1; {CTL} faults 1-1 status=errPROG@2; {CTL} plug 1-1; {self.flash()} || exit $?")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"port 1-1: dfu-util failed in writing: it said '.*Failed to write whole chunk")

    def test_a_board_that_leaves_is_the_benchs(self):
        done = self.among_the_boards(f"{CTL} unplug 1-1; {CTL} faults 1-1 unplug-at=9; {CTL} plug 1-1; {self.flash()} || exit $?")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"port 1-1: dfu-util failed in writing: it said '.*dfu-util: Error during download")

    def test_asked_to_end_it_lets_the_tool_end_in_good_order(self):
        os.mkfifo(self.folder / "begun")
        script = self.folder / "burner.sh"
        script.write_text(f"trap 'echo parking the chip; echo parked >{self.folder}/parked; exit 1' TERM; echo at it\n"
                          f"echo begun >{self.folder}/begun; sleep 600 & wait\n")
        slow = {"command": ["sh", str(script), "{image}"]}
        for signal, status in (("TERM", 143), ("INT", 143)):  # a shell's background job ignores SIGINT
            with self.subTest(signal):
                self.by_dfu_util(write=slow)
                send = f"kill -INT $!; kill -TERM $!" if signal == "INT" else "kill -TERM $!"
                done = self.among_the_boards(f"{self.flash()} & read line <{self.folder}/begun; {send}; wait $!")
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn("asked to end; ending what is under way", done.stderr)
                self.assertRegex(done.stderr, r"sh was ended in writing, since hilmark was asked to end; .*'parking the chip'"
                                              r"; its flash may hold half of an image")
                self.assertTrue((self.folder / "parked").exists(), "it was killed")
                (self.folder / "parked").unlink()
        self.assertEqual(lab.processes_with("sleep 600"), {})

    def test_a_reading_that_is_broken_off_leaves_the_application_running(self):
        os.mkfifo(self.folder / "begun")
        script = self.folder / "reader.sh"
        script.write_text(f"echo begun >{self.folder}/begun; sleep 600 & wait\n")
        first = self.flash()
        self.by_dfu_util(read={"command": ["sh", str(script), "{output}"]})
        read = " ".join(lab.hilmark("flash", "--lab", self.lab, "--unit", "by-tool", "--read", self.folder / "back"))
        done = self.among_the_boards(f"{first}; {read} & read line <{self.folder}/begun; kill -TERM $!; status=0; wait $! || status=$?; "
                                     f"{CTL} status 1-1; exit $status")
        self.assertEqual(done.returncode, 143, done.stderr)
        self.assertIn('"state":"application"', done.stdout.replace(" ", ""))

    def test_a_run_that_is_broken_off_in_mid_flash_blames_nobody(self):
        os.mkfifo(self.folder / "begun")
        script = self.folder / "burner.sh"
        script.write_text(f"echo begun >{self.folder}/begun; sleep 600 & wait\n")
        self.by_dfu_util(write={"command": ["sh", str(script), "{image}"]})
        out = self.folder / "out"
        run = " ".join(lab.hilmark("run", "--lab", self.lab, "--out", out, "--case", "LIFE-06"))
        done = self.among_the_boards(f"{run} & read line <{self.folder}/begun; kill -TERM $!; wait $!")
        self.assertEqual(done.returncode, 143, done.stderr)
        judged = lab.Run(out, done.returncode, done.stderr)
        self.assertEqual([e["outcome"] for e in judged.events("unit_finished")], ["interrupted"])

    def test_behind_a_probe_the_console_alone_tells_what_runs(self):
        # As a probe's: a serial port of the kernel's, found by the board's place.
        text = pathlib.Path(self.virtual).read_text().replace("core: native", "core: native, tty: true")
        self.virtual = self.lab = self.folder / "tty_lab.yaml"
        self.virtual.write_text(text)
        by_serial_port = {"transport: cdc-acm": "transport: serial"}
        self.board(by_serial_port, **self.dfu_util())
        first = self.flash()
        for name, script in SCRIPTS.items():
            (self.folder / name).write_text(f"set -e\n{script}\n")
        self.board(
            {**by_serial_port, '{bootloader: "0483:df11", application: "0483:5740"}': '{probe: ["0483:5740"]}'},
            "probe",
            write={"command": ["sh", f"{self.folder}/write.sh", "{port}", "{image}", "{address}"]},
            read={"command": ["sh", f"{self.folder}/read.sh", "{port}", "{output}", "{address}", "{size}"]},
            start={"command": ["sh", f"{self.folder}/start.sh", "{port}"]},
        )
        out = self.folder / "out"
        run = " ".join(lab.hilmark("run", "--lab", self.lab, "--out", out, "--case", "LIFE-06", "--case", "SNI-01", "--case", "PROV-11"))
        done = self.among_the_boards(f"{first}; {self.flash()}; {run}")
        judged = lab.Run(out, done.returncode, done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count(" runs\n"), 2, done.stderr)
        self.assertEqual(set(judged.verdicts("by-tool").values()), {"pass"}, judged.told())
        resets = [e["data"]["by"] for e in judged.events("evidence") if e["kind"] == "reset"]
        self.assertEqual(set(resets), {"probe"})

    def test_behind_a_probe_an_empty_port_is_told(self):
        self.board({'{bootloader: "0483:df11", application: "0483:5740"}': '{probe: ["0d28:0204", "1366:1061"]}'},
                   write={"command": ["sh", "{image}"]}, read={"command": ["sh", "{output}"]}, start={"command": ["sh"]})
        done, touched = self.flashed()
        self.assertEqual((done.returncode, touched), (3, 0), done.stderr)
        self.assertIn("0d28:0204 or 1366:1061 did not come to port 1-1", done.stderr)
        self.assertIn("0483:df11", done.stderr)


if __name__ == "__main__":
    unittest.main()
