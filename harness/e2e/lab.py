"""Runs hilmark on the virtual lab for end-to-end tests. Run from the project's root with HILMARK_BUILD naming the build folder."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile

BUILD = pathlib.Path(os.environ.get("HILMARK_BUILD", "build"))
LAB = "boards/virtual/lab.yaml"
PROCESS_LAB = "boards/process/lab.yaml"
SELFCHECK_LAB = "boards/virtual/selfcheck.yaml"
IMAGES = BUILD / "images"


def hilmark(*arguments):
    return [str(BUILD / "hilmark"), *map(str, arguments)]


def on_the_lab(*command, lab=LAB, options=()):
    """The command line that runs COMMAND among the virtual boards."""
    return [str(BUILD / "virtual-lab"), "--lab", str(lab), *options, "--", *map(str, command)]


def lab_file(folder, lab=LAB):
    """A lab with this build's images and programs, for build folders other than build/."""
    if BUILD == pathlib.Path("build"):
        return lab
    text = pathlib.Path(lab).read_text().replace("build/", f"{BUILD}/")
    path = pathlib.Path(folder) / pathlib.Path(lab).name
    path.write_text(text)
    return str(path)


class Run:
    """A finished `hilmark run`."""

    def __init__(self, folder, status, stderr):
        self.folder = pathlib.Path(folder)
        self.status = status
        self.stderr = stderr

    def events(self, kind=None):
        found = []
        for line in (self.folder / "events.jsonl").read_text().splitlines():
            event = json.loads(line)
            if kind in (None, event["type"]):
                found.append(event)
        return found

    def verdicts(self, unit):
        """case -> verdict, of the unit's last round"""
        return {e["case"]: e["verdict"] for e in self.events("case_finished") if e["unit"] == unit}

    def all_verdicts(self):
        return [e["verdict"] for e in self.events("case_finished")]

    def told(self):
        """What went wrong, for a failing test's message."""
        lines = [f"{e['unit']} {e['case']}: {e['verdict']}: {e['message']}"
                 for e in self.events("case_finished") if e["verdict"] != "pass"]
        return "\n".join([*lines, f"exit status {self.status}", self.stderr[-3000:]])


def run(folder, *arguments, timeout_s=300):
    """`hilmark run` on the virtual lab, to its end."""
    folder = pathlib.Path(folder)
    lab = lab_file(folder)
    done = subprocess.run(on_the_lab(*hilmark("run", "--lab", lab, "--out", folder / "out", *arguments), lab=lab),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False)
    return Run(folder / "out", done.returncode, done.stderr)


def run_programs(folder, lab, *arguments, timeout_s=300):
    """`hilmark run` on a lab of programs alone, without a virtual lab, to its end."""
    out = pathlib.Path(folder) / "out"
    done = subprocess.run(hilmark("run", "--lab", lab, "--out", out, *arguments),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False)
    return Run(out, done.returncode, done.stderr)


def start(folder, *arguments):
    """`run`, not waited for."""
    folder = pathlib.Path(folder)
    lab = lab_file(folder)
    return subprocess.Popen(on_the_lab(*hilmark("run", "--lab", lab, "--out", folder / "out", *arguments), lab=lab),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def follow(path, process, timeout_s=120):
    """The events of a run as they are written, until its process has ended and all have been read."""
    import select
    import time
    deadline = time.monotonic() + timeout_s
    pidfd = os.pidfd_open(process.pid)
    try:
        position, rest = 0, ""
        while time.monotonic() < deadline:
            ended = bool(select.select([pidfd], [], [], 0.02)[0])
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    file.seek(position)
                    rest += file.read()
                    position = file.tell()
            *lines, rest = rest.split("\n")
            yield from (json.loads(line) for line in lines)
            if ended:
                return
        raise TimeoutError(f"the run did not end within {timeout_s} s")
    finally:
        os.close(pidfd)


def processes_with(text):
    """pid -> command line of the live processes whose command line or environment contains `text`."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            state = re.search(r"^State:\s+(\S)", (entry / "status").read_text(), re.MULTILINE).group(1)
        except (OSError, AttributeError):
            continue
        if text.encode() in command and state not in "ZX":
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="hilmark-e2e-")


def kill(pid):
    os.kill(pid, signal.SIGKILL)
