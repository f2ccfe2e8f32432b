#!/usr/bin/python3
"""dfu-util and hilmark on the same virtual boards: what one writes the other reads back, by DFU 1.1 and DfuSe, in four sizes and
three layouts."""

import concurrent.futures
import os
import pathlib
import random
import subprocess
import sys
import unittest

import lab

LAYOUTS = {"even": "16*128Kg", "graded": "08*016Kg,15*128Kg", "small": "384*004Kg,04*128Kg"}
PROTOCOLS = {"dfuse": ("virtual_stm32h7", "0483:df11"), "dfu": ("virtual_dfu", "1209:0d0f")}
BASE, ROOM_BYTES = 0x08000000, 12 * 128 * 1024
CODE = lab.BUILD / "boards/reference/reference_firmware"
HEADER_AND_TRAILER_BYTES = 96 + 64


def sizes():
    least = CODE.stat().st_size + HEADER_AND_TRAILER_BYTES + 9  # some of its own, and an odd number
    whole_blocks = (least // 2048 + 1) * 2048
    return [least, whole_blocks, whole_blocks + 1, 1 << 20]


def make_lab(folder):
    """A board a protocol and layout."""
    folder = pathlib.Path(folder)
    (folder / "chips").mkdir()
    units = []
    for protocol, (board, _) in PROTOCOLS.items():
        for layout, sectors in LAYOUTS.items():
            name = f"{protocol}-{layout}"
            (folder / "chips" / f"{name}.yaml").write_text(
                f'version: 1\nflasher: {{protocol: {protocol}, layout: "@Internal Flash /{BASE:#010x}/{sectors}"}}\n'
                f"image: {{formats: [hilmark], base: {BASE:#010x}, max_bytes: {ROOM_BYTES}}}\n")
            text = pathlib.Path(f"boards/{board}.yaml").read_text()
            (folder / f"{name}.yaml").write_text("\n".join(
                f"chip: {name}" if line.startswith("chip:") else line for line in text.splitlines()))
            port = len(units) + 1
            units.append(f'  - id: {name}\n    kind: virtual\n    board: {name}\n'
                         f'    virtual: {{port: "1-{port}", serial: "U{port}", core: native'
                         + (', dfu: "tolerant upload will-detach"' if protocol == "dfu" else "") + "}\n"
                         f'    power: {{hub: "1", port: {port}, boot_pin: "{lab.BUILD / "virtual-lab"} ctl boot-pin 1-{port} {{state}}"}}\n'
                         f"    firmware: {folder / name}.img\n")
    file = folder / "lab.yaml"
    file.write_text('version: 1\ncloud: {accounts: ["111111111111", "222222222222"], regions: [us-east-1, eu-west-1]}\nunits:\n' + "".join(units))
    return file


def make_image(folder, chip, size, seed):
    """The golden image, padded to `size`; each seed has octets of its own."""
    code = CODE.read_bytes()
    padded = pathlib.Path(folder) / f"{chip}.code"
    padded.write_bytes(code + random.Random(seed).randbytes(size - HEADER_AND_TRAILER_BYTES - len(code)))
    image = pathlib.Path(folder) / f"{chip}.img"
    subprocess.run([lab.BUILD / "boards/reference/make_image", chip, "golden", padded, image], check=True)
    return image


def run(*command, **environment):
    done = subprocess.run(list(map(str, command)), env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")


def ctl(*words):
    run(lab.BUILD / "virtual-lab", "ctl", *words)


class Board:
    def __init__(self, folder, lab_file, protocol, layout, port):
        self.folder, self.lab_file, self.port = pathlib.Path(folder), lab_file, port
        self.protocol, self.name, self.ids = protocol, f"{protocol}-{layout}", PROTOCOLS[protocol][1]

    def hilmark(self, *words):
        run(*lab.hilmark("flash", "--lab", self.lab_file, "--unit", self.name, *words), HILMARK_BOARDS=str(self.folder))

    def dfu_util(self, *words):
        """In the bootloader, where it stays; -w waits for it."""
        ctl("boot-pin", self.port, "on")
        ctl("reset", self.port)
        run("dfu-util", "-w", "-d", f",{self.ids}", "-p", self.port, "-a", "0", *words)
        ctl("boot-pin", self.port, "off")

    def check(self, size):
        ours = make_image(self.folder, self.name, size, seed=1).read_bytes()
        back = self.folder / f"{self.name}.back"
        self.hilmark(self.folder / f"{self.name}.img")
        back.unlink(missing_ok=True)
        self.dfu_util("-U", back, *([] if self.protocol == "dfu" else ["-s", f"{BASE:#010x}:{size}"]))
        if back.read_bytes()[:size] != ours:
            raise RuntimeError(f"{self.name}, {size} octets: dfu-util reads other than what hilmark wrote")
        theirs = make_image(self.folder, self.name, size, seed=2).read_bytes()
        self.dfu_util("-D", self.folder / f"{self.name}.img", *([] if self.protocol == "dfu" else ["-s", f"{BASE:#010x}"]))
        self.hilmark("--read", back, "--bytes", str(size))
        if back.read_bytes() != theirs or theirs == ours:
            raise RuntimeError(f"{self.name}, {size} octets: hilmark reads other than what dfu-util wrote")
        print(f"{self.name} {size} octets: identical both ways", flush=True)


def among_the_boards(folder, lab_file):
    kinds = [(protocol, layout) for protocol in PROTOCOLS for layout in LAYOUTS]
    boards = [Board(folder, lab_file, *kind, f"1-{number}") for number, kind in enumerate(kinds, 1)]

    def check(board):
        for size in sizes():
            board.check(size)

    with concurrent.futures.ThreadPoolExecutor(len(boards)) as pool:
        list(pool.map(check, boards))


class DfuUtil(unittest.TestCase):
    def test_what_one_writes_the_other_reads(self):
        with lab.temporary_folder() as folder:
            lab_file = make_lab(folder)
            inside = [sys.executable, __file__, "--among-the-boards", folder, lab_file]
            done = subprocess.run(lab.on_the_lab(*inside, lab=lab_file), capture_output=True, text=True, timeout=600, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(done.stdout.count("identical both ways"), len(PROTOCOLS) * len(LAYOUTS) * len(sizes()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--among-the-boards"]:
        among_the_boards(*sys.argv[2:])
    else:
        unittest.main()
