#!/usr/bin/env python3
"""Our boards on Linux's own USB stack: a virtual machine, in which dfu-util and hilmark flash and talk to them.

Usage: vm_usb_test.py BUILD_FOLDER. What the machine said and what went over its bus stays in BUILD_FOLDER/vm-usb. Ends
with 77 where there is no QEMU or no kernel to be had.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import guest_image
from guest_image import Unavailable

SKIPPED = 77
DEADLINE_S = 200
PATTERN = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(65536))
BOARDS = {"one": ("V0001", "1-1", "virtual_stm32h7"), "two": ("V0002", "1-2", "virtual_dfu"),
          "three": ("V0003", "1-3", "virtual_rp2040"), "four": ("V0004", "1-4", "virtual_stm32h7")}
# Whose bootloader announces 255 interfaces: what the kernel must notice.
BAD = "four"
COMPLAINT = re.compile(r"(usb|cdc_acm) (usb)?\d.*(config .*(descriptor|interface)|[Ii]nvalid|[Ee]rror|[Uu]nable|[Cc]annot|descriptor)|"
                       "probe of .* failed")

RUNS = r"build [0-9a-f]{40} runs"
# name -> (exit status, what it must have said)
EXPECTED = {
    **{name: (0, "") for name in (
        "bootloader", "plain-bootloader", "bootsel", "bad-descriptor", "dfu-same", "same-after-flash", "application",
        "tty-again", "reset-settled", "tty-after-reset", "unplugged", "plugged", "gone", "torn", "gone-again", "back",
        "kernels-driver-again", "plain-same")},
    "lsusb": (0, r"ID 0483:df11 STM(.*\n)*.*ID 1209:0d0f hilmark Virtual bootloader"),
    "dfu-list": (0, r'Found DFU: \[0483:df11\].*path="1-1".*name="@Internal Flash.*serial="V0001"'),
    "scan": (0, r"1-1 +0483:df11 V0001 +bootloader +.*virtual_stm32h7(.*\n)+"
                r"1-2 +1209:0d0f V0002 +bootloader(.*\n)+1-3 +2e8a:0003 V0003 +bootloader"),
    "dfu-write": (0, "File downloaded successfully"),
    "dfu-read": (0, "Upload done"),
    "flash": (0, "read back.*" + RUNS),
    "read-after-flash": (0, "Upload done"),
    "dfu-leave": (0, "File downloaded successfully"),
    "flash-tty": (0, "read back.*" + RUNS),
    "usb-reset": (0, "Resetting .*ok"),
    **{name: (0, "^OK [0-9a-f]{40}$") for name in (
        "console", "console-after-reset", "console-after-plug", "console-after-libusb")},
    "flash-unplugged": (3, r"writing block \d+ .*serial V0001 at port 1-1 has left the bus"),
    "dfu-unplugged": (74, "Error during download"),
    **{name: (0, "read back.*" + RUNS) for name in (
        "flash-back", "plain-flash", "pico-flash", "pico-flash-again")},
    "plain-read": (0, r"Resetting USB(.*\n)*Upload done"),
}


def lab_file(kind, units, more):
    lines = ['version: 1', 'cloud: {accounts: ["111111111111", "222222222222"], regions: [us-east-1]}', "units:"]
    for unit, (serial, port, board) in units.items():
        lines.append(f"  - {{id: {unit}, kind: {kind}, board: {board}, {more(unit, serial, port)}}}")
    return "\n".join(lines) + "\n"


def guests_lab(board_suffix=""):
    units = {name: BOARDS[name] for name in ("one", "two", "three")}
    if board_suffix:
        units = {"one": ("V0001", "1-1", "virtual_stm32h7" + board_suffix)}
    return lab_file("usb", units, lambda unit, serial, port:
                    f'usb: {{port: "{port}"}}, network: {{rig_address: 127.0.0.{list(BOARDS).index(unit) + 1}}}')


def guest_files(source, build):
    boards = source / "boards"
    files = {f"/{path.relative_to(source)}": path.read_bytes() for path in sorted(
        [*boards.glob("virtual_*.yaml"), *boards.glob("chips/*.yaml"), *boards.glob("commands/*.yaml")])}
    h7 = files["/boards/virtual_stm32h7.yaml"]
    files["/boards/virtual_stm32h7_tty.yaml"] = h7.replace(b"transport: cdc-acm", b"transport: serial")
    images = build / "images"
    image = (images / "golden.img").read_bytes()
    plain = (images / "plain_dfu/golden.img").read_bytes()
    test = (guest_image.HERE / "guest_test.sh").read_text()
    return {**files, "/image": image, "/pattern": PATTERN, "/lab.yaml": guests_lab().encode(),
            "/lab_tty.yaml": guests_lab("_tty").encode(),
            "/image.plain_dfu": plain,
            "/image.rp2040": (images / "rp2040/golden.img").read_bytes(),
            "/test.sh": f"IMAGE_BYTES={len(image)} PLAIN_BYTES={len(plain)}\n{test}".encode()}


def qemu_command(kernel, initrd, sockets, kept):
    words = ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nodefaults",
             "-no-user-config", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
             "-bios", "/usr/share/qemu/qboot.rom", "-kernel", str(kernel / "vmlinux"), "-initrd", str(initrd),
             "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on", "-device", "qemu-xhci,id=x"]
    for number, (_, port, _) in enumerate(BOARDS.values(), 1):
        words += ["-chardev", f"socket,id=c{number},path={sockets / port}.sock",
                  "-device", f"usb-redir,chardev=c{number},bus=x.0,port={number},pcap={kept / port}.pcap"]
    return words


def without_network():
    """What puts a command into a network of its own, where that is allowed. The guest has no network card anyway."""
    words = ["unshare", "--map-root-user", "--net"]
    allowed = subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return words if allowed else []


class Machine:
    """The virtual machine among its boards, until it is off."""

    def __init__(self, build, command, sockets, lab, kept):
        self.build, self.kept = build, kept
        self.results, self.said, self.log = {}, {}, []
        self.done = False
        self.late = False
        self.lab_folder = None
        tell = 'echo "@@ lab $UMOCKDEV_DIR"; exec "$@"'
        self.process = subprocess.Popen(
            # Whatever ends this test ends the machine.
            ["setpriv", "--pdeathsig", "TERM", build / "virtual-lab", "--lab", lab, "--redir", sockets, "--log", kept / "lab.log", "--", "sh", "-c", tell,
             "sh", *without_network(), *command],
            cwd=guest_image.HERE.parents[2],  # where the board files are
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self):
        watchdog = threading.Timer(DEADLINE_S, self.end)
        watchdog.start()
        started = time.monotonic()
        with open(self.kept / "serial.log", "w") as serial:
            for raw in self.process.stdout:
                line = raw.decode(errors="replace").rstrip("\r\n")
                serial.write(f"{time.monotonic() - started:7.3f} {line}\n")
                serial.flush()
                self.read(line)
        watchdog.cancel()
        return self.process.wait()

    def end(self):
        self.late = True
        self.process.send_signal(signal.SIGTERM)

    def read(self, line):
        if match := re.fullmatch(r"@@ (\S+) rc=(\d+)", line):
            self.results[match[1]] = int(match[2])
        elif match := re.fullmatch(r"@out ([^:]+): (.*)", line):
            self.said.setdefault(match[1], []).append(match[2])
        elif line.startswith("@log "):
            self.log.append(line)
        elif line.startswith("@@ host "):
            self.obey(line.split()[2:])
        elif line.startswith("@@ lab "):
            self.lab_folder = line.split()[2]
        self.done = self.done or line == "@@ DONE"

    def obey(self, words):
        """The bench's hands."""
        ended = subprocess.run([self.build / "virtual-lab", "ctl", *words], check=False,
                               env={**os.environ, "UMOCKDEV_DIR": self.lab_folder})
        self.process.stdin.write(b"done\n" if ended.returncode == 0 else b"refused\n")
        self.process.stdin.flush()


def complaints(machine):
    if machine.late:
        yield f"the machine was not off after {DEADLINE_S} s"
    if not machine.done:
        yield "it never said @@ DONE"
    for name, (status, words) in EXPECTED.items():
        said = "\n".join(machine.said.get(name, []))
        if name not in machine.results:
            yield f"{name} was not reached"
        elif machine.results[name] != status or not re.search(words, said, re.MULTILINE):
            yield f"{name} ended with {machine.results[name]}, expected {status} and /{words}/; it said:\n{said}"
    for name in machine.results.keys() - EXPECTED.keys():
        yield f"{name} ended with {machine.results[name]}"
    if not machine.log:
        yield "the kernel said nothing of USB"
    found = [line for line in machine.log if COMPLAINT.search(line)]
    bad = f"usb {BOARDS[BAD][1]}:"
    yield from (f"the kernel complains: {line}" for line in found if bad not in line)
    if not any(bad in line for line in found):
        yield f"the kernel has nothing against the descriptors of {BAD}"


def run(build):
    started = time.monotonic()
    source = guest_image.HERE.parents[2]
    for name in ("qemu-system-x86_64", "busybox", "cpio", "udevadm", "dfu-util", "lsusb", "usbreset"):
        guest_image.program(name)
    kernel = guest_image.kernel()
    kept = build / "vm-usb"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    with tempfile.TemporaryDirectory(prefix="vm-usb-") as temporary:  # short: sockets lie in it
        sockets = pathlib.Path(temporary)
        initrd = sockets / "initrd"
        programs = [(build / "hilmark", "hilmark"), *((guest_image.program(name), name) for name in
                                                      ("dfu-util", "lsusb", "usbreset"))]
        guest_image.make_initrd(initrd, kernel, programs, guest_files(source, build))
        lab = sockets / "lab.yaml"
        lab.write_text(lab_file("virtual", BOARDS, lambda unit, serial, port:
                                f'virtual: {{port: "{port}", serial: {serial}, core: native'
                                + {"two": ", dfu: upload", BAD: ", faults: descriptors=many-interfaces"}.get(unit, "")
                                + "}"))
        booting = time.monotonic()
        machine = Machine(build, qemu_command(kernel, initrd, sockets, kept), sockets, lab, kept)
        try:
            status = machine.run()
        finally:
            machine.process.terminate()
    found = list(complaints(machine))
    if status != 0:
        found.append(f"virtual-lab ended with {status}")
    print(f"vm-usb: {len(machine.results)} steps, {time.monotonic() - booting:.1f} s in the machine, "
          f"{time.monotonic() - started:.1f} s in all")
    if found:
        print("\n".join(found), f"see {kept}: serial.log, lab.log, and each port's traffic (Wireshark reads it)",
              sep="\n")
        return 1
    for capture in kept.glob("*.pcap"):
        capture.unlink()
    return 0


def main():
    try:
        return run(pathlib.Path(sys.argv[1]).resolve())
    except Unavailable as why:
        print(f"vm-usb: skipped: {why}")
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
