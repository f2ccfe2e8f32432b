#!/usr/bin/python3
"""Every fault of a virtual board, by protocol, met by `hilmark flash`, by `hilmark provision` and by a whole run: told for what it
is, in bounded time, over once the fault is gone, and no other unit the worse for it. Writes fault_matrix.md into the build
folder."""

import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import unittest

import lab

LAB = "boards/virtual/bootloaders.yaml"
PLAIN = lab.IMAGES / "plain_dfu" / "golden.img"
UNITS = {
    "dfuse": ("1-1", lab.IMAGES / "golden.img"),
    "dfu-tolerant": ("1-2", PLAIN),
    "picoboot": ("1-5", lab.IMAGES / "rp2040" / "golden.img"),
}
BYSTANDER, BYSTANDER_IMAGE = "dfu-not-tolerant", PLAIN  # flashed again and again meanwhile
UNTOUCHED = "dfu-write-only"

DONE, DEVICE, SET_UP, BENCH = 0, 1, 2, 3  # exit statuses
GONE = r"port {port}\b.*check (its )?cable"
DFU_STATUS = ("errTARGET errFILE errWRITE errERASE errCHECK_ERASED errPROG errVERIFY errADDRESS errNOTDONE errFIRMWARE errVENDOR "
              "errUSBR errPOR errUNKNOWN errSTALLEDPKT").split()
PICOBOOT_STATUS = {
    "UNKNOWN_CMD": "unknown command", "INVALID_CMD_LENGTH": "invalid command length",
    "INVALID_TRANSFER_LENGTH": "invalid transfer length", "INVALID_ADDRESS": "invalid address",
    "BAD_ALIGNMENT": "bad alignment", "INTERLEAVED_WRITE": "interleaved write", "REBOOTING": "rebooting",
    "UNKNOWN_ERROR": "unknown error",
}
DFU = ("dfuse", "dfu-tolerant")
ALL = tuple(UNITS)
BOARDS = {"dfuse": "virtual_stm32h7", "dfu-tolerant": "virtual_dfu", "picoboot": "virtual_rp2040"}
TWIN = "two boards with one serial number"


class Fault:
    """What `hilmark flash` ends with, and says of it; what `hilmark provision` ends with, of a board that has its firmware already;
    and the verdict of the first case of a run, which flashes and provisions it: unless told otherwise as flashing decides."""

    def __init__(self, text, units, flash, said="", provision=DONE, run=None):
        self.text, self.units, self.flash, self.said, self.provision = text, units, flash, said, provision
        self.run = run or {DONE: "pass", DEVICE: "inconclusive", SET_UP: "error", BENCH: "error"}[flash]


FAULTS = [
    Fault("stall-at=6", ALL, DEVICE, "refused"),
    Fault("silent-at=6", ALL, DEVICE, "did not answer"),
    Fault("busy-ms=70000", DFU, DEVICE, "too long"),
    Fault("busy-ms=70000", ("picoboot",), DEVICE, "did not answer"),
    Fault("busy-ms=30", ALL, DONE),
    Fault("lie-poll", DFU, DONE),
    *(Fault(f"status={name}@3", DFU, DEVICE, name) for name in DFU_STATUS),
    *(Fault(f"status={name}@4", ("picoboot",), DEVICE, text) for name, text in PICOBOOT_STATUS.items()),
    Fault("short-upload@3", ("dfuse",), DEVICE, r"it sent \d+ of the \d+ bytes asked for"),
    Fault("short-upload@3", ("dfu-tolerant",), DEVICE, r"what was written: \d+ of \d+ bytes read back"),
    Fault("corrupt-flash@0x08000100", DFU, DEVICE, "does not hold what was written"),
    Fault("corrupt-flash@0x10000100", ("picoboot",), DEVICE, "does not hold what was written"),
    Fault("return-late-ms=1500", ALL, DONE),
    Fault("return-never", ALL, BENCH, "did not come back: .*; check cable, power and port"),
    Fault("app-serial=B0999", ALL, SET_UP, "is another unit: the lab file says serial B000", provision=SET_UP),
    Fault("layout-garbage", ("dfuse",), SET_UP, "has no memory that holds 0x08000000, only: @Internal Flash /0x0800zz00"),
    *(Fault(f"descriptors={how}", ALL, DEVICE, "describes itself wrongly") for how in ("cut", "zero-length", "many-interfaces")),
    Fault("descriptors=zero-transfer-size", DFU, DEVICE, "describes itself wrongly.*wTransferSize 0"),
    Fault("app-stall-at=3", ALL, DEVICE, r"refused the request \(stall\)", provision=DEVICE),
    Fault("app-silent-at=3", ALL, DEVICE, "did not answer", provision=DEVICE),
    *(Fault(f"app-unplug-at={at}", ALL, BENCH, GONE, provision=BENCH) for at in (2, 5)),
    # Provisioning comes that late.
    *(Fault(f"app-unplug-at={at}", ALL, DONE, provision=BENCH, run="error") for at in (20, 30)),
    *(Fault(f"unplug-at={at}", ("dfuse",), BENCH, GONE)
      for at in (1, 2, 3, 4, 5, 7, 9, 12, 15, 18, 22, 26, 30, 35, 40, 48, 56, 64, 80, 96)),
    *(Fault(f"unplug-at={at}", ("dfu-tolerant",), BENCH, GONE) for at in (1, 2, 3, 4, 6, 8, 11, 15, 20, 26, 30, 36, 48, 64, 90)),
    *(Fault(f"unplug-at={at}", ("picoboot",), BENCH, GONE) for at in (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 60, 200, 400)),
]
RUN_CASES = ("LIFE-06", "SNI-01", "MODE-01")
LIMIT_S = 120


def ctl(*words):
    return subprocess.run([str(lab.BUILD / "virtual-lab"), "ctl", *words], capture_output=True, text=True, check=True).stdout


def replug(port, *faults):
    """New power with other faults, and wait until it is there."""
    ctl("unplug", port)
    ctl("faults", port, *faults)
    before = json.loads(ctl("status", port))["plug_count"]
    ctl("plug", port)
    deadline = time.monotonic() + 10
    while json.loads(ctl("status", port))["plug_count"] == before:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the board at {port} did not come onto the bus")


def hilmark(*words):
    begun = time.monotonic()
    try:
        done = subprocess.run(lab.hilmark(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as hung:
        return {"status": "none: it hung", "said": str(hung.stderr), "took_s": LIMIT_S}
    return {"status": done.returncode, "said": done.stderr, "took_s": round(time.monotonic() - begun, 2)}


def flash(lab_file, unit, image):
    return hilmark("flash", "--lab", lab_file, "--unit", unit, image)


def provision(lab_file, unit, out):
    return hilmark("provision", "--lab", lab_file, "--unit", unit, "--account", "111111111111", "--mode", "DEFAULT", "--out", out)


def run(lab_file, unit, out):
    cases = [word for case in RUN_CASES for word in ("--case", case)]
    done = hilmark("run", "--lab", lab_file, "--unit", unit, "--out", out, *cases)
    told = [line.split() for line in done["said"].splitlines()]
    done["verdicts"] = {words[1]: words[2] for words in told if len(words) > 2 and words[:1] == [unit] and words[1] in RUN_CASES}
    return done


def erased_and_written(port):
    flash_counts = json.loads(ctl("status", port))["flash"]
    return sum(flash_counts["erases"]) + sum(flash_counts["programs"])


def meet_a_twin(unit, other, folder):
    """A lab that names the board by its serial number, and another board that has the same one."""
    port, image = UNITS[unit]
    serial = f"B000{port[-1]}"
    by_serial = pathlib.Path(folder) / f"{unit}-by-serial.yaml"
    by_serial.write_text(f"""version: 1
cloud: {{accounts: ["111111111111", "222222222222"], regions: [us-east-1]}}
units:
  - {{id: {unit}, kind: usb, board: {BOARDS[unit]}, usb: {{serial: {serial}}}, network: {{rig_address: 127.0.0.1}}, firmware: {image.resolve()}}}
""")
    other_port = UNITS[other][0]
    replug(other_port, f"app-serial={serial}")
    before = [erased_and_written(each) for each in (port, other_port)]
    row = {"unit": unit, "fault": TWIN, "flash": flash(by_serial, unit, image), "provision": provision(by_serial, unit, f"{folder}/{unit}"),
           "run": run(by_serial, unit, f"{folder}/{unit}-twin")}
    row["touched"] = [erased_and_written(each) for each in (port, other_port)] != before
    replug(other_port)
    row["after"] = flash(by_serial, unit, image)
    return row


def meet_all(lab_file, unit, folder, row_met):
    """All faults of one unit, one after the other, each with what became of the unit when the fault was gone."""
    port, image = UNITS[unit]
    met = []
    flash(lab_file, unit, image)
    for number, fault in enumerate(fault for fault in FAULTS if unit in fault.units):
        row = {"unit": unit, "fault": fault.text}
        replug(port, fault.text)
        row["provision"] = provision(lab_file, unit, f"{folder}/{unit}")
        replug(port, fault.text)
        before = erased_and_written(port)
        row["flash"] = flash(lab_file, unit, image)
        row["touched"] = erased_and_written(port) != before
        replug(port, fault.text)
        row["run"] = run(lab_file, unit, f"{folder}/{unit}-{number}")
        replug(port)
        row["after"] = flash(lab_file, unit, image)
        met.append(row)
        row_met.release()
    return met


def among_the_boards(lab_file, folder):
    with concurrent.futures.ThreadPoolExecutor(len(UNITS)) as pool:
        row_met = threading.Semaphore(0)
        units = [pool.submit(meet_all, lab_file, unit, folder, row_met) for unit in UNITS]
        beside = []
        while not all(unit.done() for unit in units):
            beside.append(flash(lab_file, BYSTANDER, BYSTANDER_IMAGE))
            row_met.acquire(timeout=LIMIT_S)
        met = [row for unit in units for row in unit.result()]
    met += [meet_a_twin(unit, other, folder) for unit, other in zip(ALL, (*ALL[1:], ALL[0]))]
    (pathlib.Path(folder) / "met.json").write_text(json.dumps({"met": met, "beside": beside, "untouched": erased_and_written(UNTOUCHED)}))


def short(row, what):
    """A cell of the table."""
    status = row[what]["status"]
    told = {DONE: "done", DEVICE: "the device", SET_UP: "the set-up", BENCH: "the bench"}.get(status, f"exit status {status}")
    if what == "run":
        told = row[what]["verdicts"].get(RUN_CASES[0], told)
    return f"{told} ({row[what]['took_s']:.1f} s)"


def table(met):
    columns = ("flash", "provision", "run", "after")
    lines = ["| unit | fault | flash | provision | run | flash without it |", "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join([row["unit"], row["fault"], *(short(row, what) for what in columns)]) + " |" for row in met]
    return "\n".join(lines) + "\n"


class FaultMatrix(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with lab.temporary_folder() as folder:
            lab_file = lab.lab_file(folder, LAB)
            inside = [sys.executable, __file__, "--among-the-boards", lab_file, folder]
            done = subprocess.run(lab.on_the_lab(*inside, lab=lab_file), capture_output=True, text=True, timeout=900, check=False)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            found = json.loads((pathlib.Path(folder) / "met.json").read_text())
        cls.met, cls.beside, cls.untouched = found["met"], found["beside"], found["untouched"]
        (lab.BUILD / "fault_matrix.md").write_text(table(cls.met))

    def test_each_is_told_for_what_it_is(self):
        rows = {(row["unit"], row["fault"]): row for row in self.met}
        for fault in FAULTS:
            for unit in fault.units:
                row = rows[unit, fault.text]
                with self.subTest(unit=unit, fault=fault.text):
                    said = fault.said.format(port=UNITS[unit][0])
                    self.assertEqual(row["flash"]["status"], fault.flash, row["flash"]["said"])
                    self.assertTrue(re.search(said, row["flash"]["said"]), f"{said}: {row['flash']['said']}")
                    self.assertEqual(row["provision"]["status"], fault.provision, row["provision"]["said"])
                    if fault.provision == fault.flash != DONE:
                        self.assertTrue(re.search(said, row["provision"]["said"]), f"{said}: {row['provision']['said']}")
                    verdicts = row["run"]["verdicts"]
                    self.assertEqual(verdicts.get(RUN_CASES[0]), fault.run, row["run"])
                    self.assertEqual(row["run"]["status"], DONE if fault.run == "pass" else BENCH, row["run"])
                    self.assertNotIn("fail", verdicts.values(), "none of these faults is one of the suite's cases")

    def test_another_unit_in_its_place_is_not_touched(self):
        rows = [row for row in self.met if row["fault"].startswith("app-serial") or row["fault"] == TWIN]
        self.assertEqual([row["touched"] for row in rows], [False] * 2 * len(UNITS), rows)

    def test_of_two_boards_with_one_serial_number_neither_is_taken(self):
        rows = [row for row in self.met if row["fault"] == TWIN]
        self.assertEqual(len(rows), len(UNITS))
        for row in rows:
            for what in ("flash", "provision", "run"):
                with self.subTest(unit=row["unit"], command=what):
                    self.assertEqual(row[what]["status"], SET_UP, row[what]["said"])
                    self.assertRegex(row[what]["said"], r"several devices have the serial number B000\d: .*; name the port instead")

    def test_each_is_over_with_the_fault(self):
        for row in self.met:
            with self.subTest(unit=row["unit"], fault=row["fault"]):
                self.assertEqual(row["after"]["status"], DONE, row["after"]["said"])

    def test_no_other_unit_is_the_worse_for_it(self):
        self.assertGreater(len(self.beside), 10)
        for flashed in self.beside:
            self.assertEqual(flashed["status"], DONE, flashed["said"])
        self.assertEqual(self.untouched, 0)

    def test_the_cable_goes_at_fifty_transfers(self):
        self.assertGreaterEqual(sum(len(fault.units) for fault in FAULTS if fault.text.startswith("unplug-at")), 50)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--among-the-boards"]:
        among_the_boards(*sys.argv[2:])
    else:
        unittest.main()
