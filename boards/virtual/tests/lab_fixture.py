"""A running virtual-lab for tests. Clients are started from outside, with the environment that the lab's command saw.

Nothing here sleeps to let something happen: conditions are polled until a deadline, whose message says what was awaited.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from wrap_image import wrap

DEADLINE_S = 15
UNIT = "  - {{id: v{n}, kind: virtual, board: virtual_stm32h7, virtual: {{port: \"1-{n}\", serial: V{n}, core: native{more}}}}}\n"


class Programs:
    """Where the build has put things; set once by the test's main."""

    virtual_lab = usb_client = test_core = None


def wait_for(what, condition):
    deadline = time.monotonic() + DEADLINE_S
    last = None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come about within {DEADLINE_S} s; last seen: {last!r}")


def process_is_there(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def image(defect="golden", chip="stm32h7"):
    return wrap(pathlib.Path(Programs.test_core).read_bytes(), chip, defect)


class Lab:
    def __init__(self, units=1, state=None, command=None, more="", text=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="virtual-lab-test-"))
        self.lab_file = self.folder / "lab.yaml"
        self.lab_file.write_text(text or
                                 "version: 1\nunits:\n" + "".join(UNIT.format(n=n + 1, more=more) for n in range(units)))
        tell = "echo $$ $UMOCKDEV_DIR $LD_PRELOAD; read end"
        arguments = [Programs.virtual_lab, "--lab", self.lab_file, "--log", self.folder / "log"]
        arguments += ["--state", state] if state else []
        self.process = subprocess.Popen(arguments + ["--", "sh", "-c", command or tell], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        assert len(words) >= 3, f"the lab did not start: {self.process.communicate()}"
        self.command_pid, self.root = int(words[0]), pathlib.Path(words[1])
        self.environment = {**os.environ, "UMOCKDEV_DIR": words[1], "LD_PRELOAD": words[2],
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        errors = self.process.stderr.read()
        self.process.stderr.close()
        if kind:
            print(errors, (self.folder / "log").read_text(), file=sys.stderr)
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def start(self, *words, **options):
        return subprocess.Popen([str(word) for word in words], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **options)

    def run(self, *words, status=0):
        """The output of a program that must end with `status`; None for any."""
        process = self.start(*words)
        output = process.communicate(timeout=DEADLINE_S)[0]
        assert status in (None, process.returncode), f"{words} ended with {process.returncode}: {output}"
        return output

    def client(self, *words, **options):
        return self.run(Programs.usb_client, *words, **options)

    def uhubctl(self, *words, **options):
        return self.run(shutil.which("uhubctl", path=os.environ["PATH"] + ":/usr/sbin"), *words, **options)

    def console(self, *lines, port="1-1"):
        return self.client("console", port, *lines).splitlines()

    def control(self, *words, status=0):
        return self.run(Programs.virtual_lab, "ctl", *words, status=status)

    def status(self, port="1-1"):
        return json.loads(self.control("status", port))

    def facts(self):
        return json.loads((self.root / "lab.json").read_text())

    def await_application(self, port="1-1"):
        self.client("await", port, "0483:5740")

    def await_bootloader(self, port="1-1"):
        self.client("await", port, "0483:df11")

    def await_plug(self, count, port="1-1"):
        """Until the device has come for the count-th time: told apart by what libusb cannot tell."""
        return wait_for(f"plug {count}", lambda: (status := self.status(port))["plug_count"] >= count and
                        status["state"] in ("application", "bootloader") and status)

    def download(self, data, leave=True, serial="V1", status=0):
        path = self.folder / "download"
        path.write_bytes(data)
        return self.run("dfu-util", "-d", "0483:df11", "-S", serial, "-a", "0", "-s",
                        "0x08000000:leave" if leave else "0x08000000", "-D", path, status=status)

    def upload(self, size, serial="V1"):
        path = self.folder / "upload"
        path.unlink(missing_ok=True)
        self.run("dfu-util", "-d", "0483:df11", "-S", serial, "-a", "0", "-s", f"0x08000000:{size}", "-U", path)
        return path.read_bytes()

    def boot_test_core(self, serial="V1", port="1-1"):
        self.download(image(), serial=serial)
        self.await_application(port)

    def boot_behind_hub(self, port="1-4.2"):
        self.download(image())
        wait_for("its application", lambda: self.status(port)["state"] == "application" and
                 self.status(port)["device_number"])

    def processes(self):
        """All that the lab has started, by pid, and the lab."""
        boards = self.facts()["boards"]
        cores = [self.status(board["port"])["core_pid"] for board in boards]
        holders = [board["namespace_pid"] for board in boards]
        return [pid for pid in cores + holders + [self.command_pid, self.process.pid] if pid]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)


def run_tests(case):
    """The main of a script with one class of tests, `case`: BUILD_FOLDER [TEST...]."""
    build = pathlib.Path(sys.argv[1])
    Programs.virtual_lab = build / "virtual-lab"
    Programs.usb_client = build / "tests" / "virtual-lab-usb-client"
    Programs.test_core = build / "tests" / "virtual-lab-test-core"
    unittest.main(argv=sys.argv[:1] + [f"{case.__name__}.{name}" for name in sys.argv[2:]])
