"""Every bootloader that there is a flasher for, on the virtual lab: flashing, faults, dfu-util beside it, and a run."""

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

LEFT = r"has left the bus; check its cable"

# fault -> with which exit status hilmark ends (1 the device, 3 the bench), and what it says of it (a pattern, or one a unit)
FAULTS = {
    "stall-at=6": (1, "refused"),
    "status=errPROG@3": (1, "errPROG"),
    "status=errVERIFY@3": (1, "errVERIFY"),
    "status=errVENDOR@3": (1, "errVENDOR"),
    "busy-ms=70000": (1, "too long"),
    "short-upload@3": (
        1,
        {"dfuse": r"it sent \d+ of the \d+ bytes asked for", "dfu-tolerant": r"what was written: \d+ of \d+ bytes read back"},
    ),
    "corrupt-flash@0x08000100": (1, "does not hold what was written"),
    "unplug-at=1": (3, LEFT),
    "unplug-at=9": (3, LEFT),
    "unplug-at=30": (3, LEFT),
    "unplug-at=60": (3, LEFT),
}


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

    def test_a_dry_run_touches_nothing(self):
        script = f"{self.flash('picoboot')} --dry-run; {lab.BUILD / 'virtual-lab'} ctl status {PORTS['picoboot']}"
        done = self.among_the_boards(script)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("by picoboot, and prove that build", done.stdout)
        self.assertIn('"state":"bootloader"', done.stdout.replace(" ", ""))

    def test_all_are_flashed_at_once(self):
        script = " & ".join(f"{self.flash(unit)} || echo failed: {unit}" for unit in GOLDEN) + "; wait"
        done = self.among_the_boards(script)
        self.assertNotIn("failed", done.stdout, done.stderr)
        self.assertEqual(done.stderr.count(" runs\n"), len(GOLDEN), done.stderr)

    def test_dfu_util_reads_what_hilmark_wrote_and_the_other_way_round(self):
        folder = pathlib.Path(self.folder.name)
        ctl = f"{lab.BUILD / 'virtual-lab'} ctl"
        for unit, serial, ids, application, read_from, write_to in (
            ("dfuse", "B0001", "0483:df11", "0483:5740", "-s 0x08000000:{size}", "-s 0x08000000:leave"),
            ("dfu-tolerant", "B0002", "1209:0d0f", "1209:0d0e", "", "-R"),
        ):
            with self.subTest(unit):
                size = GOLDEN[unit].stat().st_size
                back = folder / f"{unit}.back"
                # Its bootloader is entered by the boot pin; -w waits for it. Of plain DFU all the flash comes.
                done = self.among_the_boards(
                    f"{self.flash(unit)}; {ctl} boot-pin {PORTS[unit]} on; {ctl} reset {PORTS[unit]}; "
                    f"dfu-util -w -d ,{ids} -S {serial} -a 0 {read_from.format(size=size)} -U {back} >&2"
                )
                self.assertEqual(back.read_bytes()[:size], GOLDEN[unit].read_bytes(), done.stderr)
                done = self.among_the_boards(
                    f"dfu-util -d ,{ids} -S {serial} -a 0 {write_to} -D {GOLDEN[unit]} >&2; "
                    f"until lsusb -d {application} >&2; do :; done; {self.run_one(unit)}"
                )
                self.assertEqual(done.returncode, 0, done.stderr)

    def run_one(self, unit):
        out = pathlib.Path(self.folder.name) / f"run-{unit}"
        return " ".join(
            lab.hilmark("run", "--lab", self.lab, "--unit", unit, "--case", "LIFE-06", "--case", "SNI-01", "--out", out)
        )

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

    def test_each_fault_is_told_for_what_it_is_and_is_over_with_it(self):
        for unit in ("dfuse", "dfu-tolerant"):
            port = PORTS[unit]
            for fault, (status, said) in FAULTS.items():
                with self.subTest(unit=unit, fault=fault):
                    ctl = f"{lab.BUILD / 'virtual-lab'} ctl"
                    # The fault holds from the next enumeration on.
                    script = (
                        f"{ctl} unplug {port}; {ctl} faults {port} {fault}; {ctl} plug {port}; status=0; "
                        f"{self.flash(unit)} || status=$?; echo status $status; "
                        f"{ctl} unplug {port}; {ctl} faults {port}; {ctl} plug {port}; "
                        f"{self.flash(unit)}; echo then 0"
                    )
                    done = self.among_the_boards(script)
                    self.assertIn(f"status {status}\n", done.stdout, done.stderr)
                    pattern = said if isinstance(said, str) else said[unit]
                    self.assertRegex(done.stderr, pattern)
                    if pattern == LEFT:
                        self.assertRegex(done.stderr, rf"port {port}\b.*{LEFT}")
                    self.assertIn("then 0", done.stdout, done.stderr)


if __name__ == "__main__":
    unittest.main()
