"""Eight boards of three protocols, some behind a USB 3 hub, flashed at once; each is verified and runs its image."""

import json
import pathlib
import subprocess
import unittest

import lab

GOLDEN = {
    "virtual_stm32h7": lab.IMAGES / "golden.img",
    "virtual_dfu": lab.IMAGES / "plain_dfu" / "golden.img",
    "virtual_rp2040": lab.IMAGES / "rp2040" / "golden.img",
}
# unit -> board, port, what else its virtual: block says
BOARDS = {
    "dfuse-1": ("virtual_stm32h7", "1-1", ""),
    "dfuse-2": ("virtual_stm32h7", "1-2", ""),
    "dfuse-3": ("virtual_stm32h7", "1-4.1", ""),
    "dfu-1": ("virtual_dfu", "1-3", ', dfu: "tolerant upload will-detach"'),
    "dfu-2": ("virtual_dfu", "1-5", ', dfu: "upload"'),
    "dfu-3": ("virtual_dfu", "1-4.2", ', dfu: "tolerant upload"'),
    "pico-1": ("virtual_rp2040", "1-6", ""),
    "pico-2": ("virtual_rp2040", "1-4.4", ""),
}
BUILD_ID_AT = 48  # of the image's header, boards/wire.md
BUILD_ID_BYTES = 40


def lab_text():
    lines = [
        "version: 1",
        'cloud: {accounts: ["111111111111", "222222222222"], regions: [us-east-1]}',
        'virtual: {hubs: [{port: "1-4", ports: 4, usb3: container-id}]}',
        "units:",
    ]
    for number, (unit, (board, port, more)) in enumerate(BOARDS.items(), 1):
        lines.append(f"  - {{id: {unit}, kind: virtual, board: {board}, "
                     f'virtual: {{port: "{port}", serial: M{number:04}, core: native{more}}}}}')
    return "\n".join(lines) + "\n"


class ManyBoards(unittest.TestCase):
    def test_eight_boards_of_three_protocols_are_flashed_at_once(self):
        with lab.temporary_folder() as folder:
            file = pathlib.Path(folder) / "lab.yaml"
            file.write_text(lab_text())
            # All begin together; then the lab itself says what each board runs, and dfu-util and lsusb stay out of it.
            flashes = [
                " ".join([*lab.hilmark("flash", "--lab", file, "--unit", unit, GOLDEN[board]),
                          f">{folder}/{unit}.told 2>&1; echo $? >{folder}/{unit}.status"])
                for unit, (board, _, _) in BOARDS.items()
            ]
            script = "\n".join(f"({flash}) &" for flash in flashes) + f"\nwait\n{lab.BUILD / 'virtual-lab'} ctl list\n"
            done = subprocess.run(lab.on_the_lab("sh", "-c", script, lab=file), capture_output=True, text=True, timeout=240)
            self.assertEqual(done.returncode, 0, done.stderr)
            statuses = {status["unit"]: status for status in json.loads(done.stdout)}
            self.assertEqual(set(statuses), set(BOARDS))
            for unit, (board, port, _) in BOARDS.items():
                with self.subTest(unit):
                    told = (pathlib.Path(folder) / f"{unit}.told").read_text()
                    self.assertEqual((pathlib.Path(folder) / f"{unit}.status").read_text(), "0\n", told)
                    header = GOLDEN[board].read_bytes()[:96]
                    build = header[BUILD_ID_AT:BUILD_ID_AT + BUILD_ID_BYTES].decode()
                    self.assertRegex(told, rf"{unit}: {GOLDEN[board].stat().st_size} octets written and read back, "
                                           rf"(\d+ sectors erased, )?in \d+ ms; build {build} runs")
                    status = statuses[unit]
                    self.assertEqual((status["port"], status["state"], status["image"]), (port, "application", build))
                    self.assertTrue(status["core_pid"])


if __name__ == "__main__":
    unittest.main()
