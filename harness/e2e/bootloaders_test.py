"""Every bootloader that there is a flasher for, on the virtual lab: flashing, and a run."""

import pathlib
import subprocess
import tempfile
import unittest

import lab

LAB = "boards/virtual/bootloaders.yaml"
GOLDEN = {
    "dfuse": lab.IMAGES / "golden.img",
    "dfu-tolerant": lab.IMAGES / "plain_dfu" / "golden.img",
    "dfu-not-tolerant": lab.IMAGES / "plain_dfu" / "golden.img",
    "dfu-write-only": lab.IMAGES / "plain_dfu" / "golden.img",
    "picoboot": lab.IMAGES / "rp2040" / "golden.img",
}
PORTS = {unit: f"1-{number}" for number, unit in enumerate(GOLDEN, 1)}

class Bootloaders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.lab = lab.lab_file(cls.folder.name, LAB)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def among_the_boards(self, script):
        command = lab.on_the_lab("sh", "-ec", script, lab=self.lab)
        return subprocess.run(command, capture_output=True, text=True, timeout=240)

    def flash(self, unit):
        return " ".join(lab.hilmark("flash", "--lab", self.lab, "--unit", unit, GOLDEN[unit]))

    def test_each_is_flashed_from_its_bootloader_and_from_its_application(self):
        for unit in GOLDEN:
            with self.subTest(unit):
                done = self.among_the_boards(f"{self.flash(unit)}; {self.flash(unit)}")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stderr.count(" runs\n"), 2, done.stderr)
                cannot_read = "cannot be read back" in done.stderr
                self.assertEqual(cannot_read, unit == "dfu-write-only", done.stderr)

    def test_without_a_lab_file_the_board_is_the_one_that_is_plugged_in(self):
        def flash(*words):
            return " ".join(lab.hilmark("flash", *words))

        ctl = lab.BUILD / "virtual-lab"
        alone = "; ".join(f"{ctl} ctl unplug 1-{port}" for port in (1, 2, 3, 4))
        done = self.among_the_boards(
            f"{flash('--port', '1-2', GOLDEN['dfu-tolerant'])}; {flash('--serial', 'B0001', '--board', 'virtual_stm32h7', GOLDEN['dfuse'])}; "
            f"{alone}; {flash(GOLDEN['picoboot'])}; {flash('--read', self.folder.name + '/alone', '--bytes', 4097)}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"(?s)virtual_dfu: \d+ octets written.* runs\n.*virtual_stm32h7: .* runs\n.*virtual_rp2040: .* runs\n")
        self.assertEqual((pathlib.Path(self.folder.name) / "alone").read_bytes(), GOLDEN["picoboot"].read_bytes()[:4097])
        for words, said in (
            ((), "several boards are plugged in: 0483:df11.* at port 1-1, .*; choose one with --port or --serial"),
            (("--board", "virtual_rp2040", "--serial", "B0001"), "nothing is plugged in that is board virtual_rp2040, serial B0001"),
            (("--board", "virtual_rp2040", "--port", "1-1"), "nothing is plugged in that is board virtual_rp2040, port 1-1"),
            (("--port", "1-9"), "nothing is plugged in that is port 1-9; plugged: 0483:df11"),
            (("--board", "virtual_rp2040", "--port", "1-5"), "it was built for stm32h7, the board has rp2040"),
            (("--port", "1-1"), "at port 1-1 may be virtual_dfu_util, virtual_stm32h7; choose with --board"),
            (("--board", "virtual_stm32h9"), "virtual_stm32h7"),
            (("--lab", self.lab), "--lab requires --unit"),
            (("--lab", self.lab, "--unit", "dfuse", "--port", "1-1"), "--lab excludes --port"),
        ):
            with self.subTest(words):
                done = self.among_the_boards(flash(*words, GOLDEN["dfuse"]))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, said)

    def test_ended_amid_its_work_it_says_what_the_board_may_hold(self):
        record = pathlib.Path(self.folder.name) / "ended.jsonl"
        ctl = lab.BUILD / "virtual-lab"
        done = self.among_the_boards(
            f"{ctl} ctl unplug 1-1; {ctl} ctl faults 1-1 busy-ms=300; {ctl} ctl plug 1-1; "
            f"{self.flash('dfuse')} --record {record} & flash=$!; "
            f"until [ -e {record} ] && [ $(wc -l < {record}) -gt 30 ]; do kill -0 $flash || exit 9; done; "
            "kill -TERM $flash; wait $flash || echo ended with $?")
        self.assertIn("ended with 143", done.stdout, done.stderr)
        self.assertIn("hilmark: asked to end; unit dfuse may hold half of an image, and may be in its bootloader: flash it anew", done.stderr)

    def test_a_mass_erase_is_dfuses(self):
        back = pathlib.Path(self.folder.name) / "erased"
        flash = lambda unit, *words: " ".join(lab.hilmark("flash", "--lab", self.lab, "--unit", unit, *words))
        done = self.among_the_boards(f"{self.flash('dfuse')}; {flash('dfuse', '--mass-erase')}; {flash('dfuse', '--read', back)}; "
                                     f"{self.flash('dfuse')} --mass-erase")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(back.read_bytes()), {0xff})
        self.assertEqual(done.stderr.count("all of its flash is erased"), 2, done.stderr)
        self.assertEqual(done.stderr.count(" runs\n"), 2, done.stderr)
        for unit in ("dfu-tolerant", "picoboot"):
            done = self.among_the_boards(f"{self.flash(unit)}; {flash(unit, '--mass-erase')} || status=$?; {' '.join(lab.hilmark('boards', 'scan'))}; "
                                         "exit $status")
            self.assertRegex(done.stdout, rf"{PORTS[unit]} .*application", "it was not touched")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("has no mass erase", done.stderr)

    def test_a_dry_run_touches_nothing(self):
        script = f"{self.flash('picoboot')} --dry-run; {lab.BUILD / 'virtual-lab'} ctl status {PORTS['picoboot']}"
        done = self.among_the_boards(script)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("by picoboot, and prove that build", done.stdout)
        self.assertIn('"state":"bootloader"', done.stdout.replace(" ", ""))

    def test_what_was_never_flashed_can_be_read(self):
        for unit in ("dfuse", "dfu-tolerant", "picoboot"):
            with self.subTest(unit):
                back = pathlib.Path(self.folder.name) / f"{unit}.empty"
                done = self.among_the_boards(" ".join(
                    lab.hilmark("flash", "--lab", self.lab, "--unit", unit, "--read", back, "--bytes", "4097")))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(back.read_bytes(), b"\xff" * 4097)

    def test_all_are_flashed_at_once(self):
        script = " & ".join(f"{self.flash(unit)} || echo failed: {unit}" for unit in GOLDEN) + "; wait"
        done = self.among_the_boards(script)
        self.assertNotIn("failed", done.stdout, done.stderr)
        self.assertEqual(done.stderr.count(" runs\n"), len(GOLDEN), done.stderr)

    def test_each_is_judged_like_any_other(self):
        out = pathlib.Path(self.folder.name) / "run"
        cases = [argument for case in ("LIFE-06", "SNI-0[1-3]", "MODE-01", "MOVE-01", "PROV-1[01]") for argument in ("--case", case)]
        command = lab.hilmark("run", "--lab", self.lab, "--out", out, *cases)
        done = subprocess.run(lab.on_the_lab(*command, lab=self.lab), capture_output=True, text=True, timeout=240)
        run = lab.Run(out, done.returncode, done.stderr)
        self.assertEqual(run.status, 0, run.stderr)
        for unit in GOLDEN:
            verdicts = run.verdicts(unit)
            self.assertEqual(verdicts.get("MOVE-01"), "pass", verdicts)


if __name__ == "__main__":
    unittest.main()
