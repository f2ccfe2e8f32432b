#!/usr/bin/python3
"""Run by bench/run.sh inside the virtual lab. Wall times of whole commands."""

import datetime
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

LAB = "boards/virtual/lab.yaml"
MIB = 1 << 20
HEADER_AND_TRAILER_BYTES = 96 + 64


def one_mebibyte_image(folder, seed):
    """The golden image with its code padded, so that it is 1 MiB and boots; each seed has octets of its own."""
    code = pathlib.Path("build/boards/reference/reference_firmware").read_bytes()
    padding = random.Random(seed).randbytes(MIB - HEADER_AND_TRAILER_BYTES - len(code))
    padded = folder / f"code-{seed}"
    padded.write_bytes(code + padding)
    image = folder / f"{seed}.img"
    subprocess.run(["build/boards/reference/make_image", "stm32h7", "golden", padded, image], check=True)
    assert image.stat().st_size == MIB
    return image


def timed(*command):
    start = time.monotonic()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    took = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return took


def in_bootloader():
    """dfu-util needs the board there; hilmark brings it there itself."""
    subprocess.run(["build/virtual-lab", "ctl", "boot-pin", "1-1", "on"], check=True, capture_output=True)
    subprocess.run(["build/virtual-lab", "ctl", "reset", "1-1"], check=True, capture_output=True)
    subprocess.run(["build/virtual-lab", "ctl", "boot-pin", "1-1", "off"], check=True, capture_output=True)
    subprocess.run(["dfu-util", "-w", "-p", "1-1", "-a", "0", "-U", "/dev/null", "-s", "0x08000000:64"], check=False,
                   capture_output=True)


def first_verdict(folder, run):
    out = folder / f"run-{run}"
    took = timed("build/hilmark", "run", "--lab", LAB, "--unit", "virtual-1", "--case", "LIFE-06", "--out", out)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    at = {}
    for event in events:
        moment = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
        at.setdefault(event["type"], moment)
    return (at["case_finished"] - at["run_started"]).total_seconds(), took


def writing_against_waits(recording):
    """Of a recorded flash: how long erasing and writing took; the sum of the poll times that the board demanded meanwhile; and that
    with what the transfers take on this bus, by those before which nothing was to be waited for."""
    download, get_status = 1, 3
    transfers = [json.loads(line) for line in recording.read_text().splitlines()]
    control = [one for one in transfers if one["kind"].startswith("control") and one["request_type"] & 0x7F == 0x21]
    writes = [at for at, one in enumerate(control) if one["request"] == download and one["length"] > 0]
    last_data = max(at for at in writes if control[at]["value"] >= 2)
    span = control[writes[0]:last_data + 3]
    polls_ms = [int.from_bytes(bytes.fromhex(one["data"])[1:4], "little") if one["request"] == get_status else 0 for one in span]
    at_once = [after["at_us"] - before["at_us"] for before, after, poll_ms in zip(span, span[1:], polls_ms) if poll_ms == 0]
    demanded_s = sum(polls_ms[:-1]) / 1e3
    transfers_s = statistics.median(at_once) * (len(span) - 1) / 1e6
    return (span[-1]["at_us"] - span[0]["at_us"]) / 1e6, demanded_s, demanded_s + transfers_s


def row(name, seconds):
    print(f"{name:44} median {statistics.median(seconds):7.3f} s   min {min(seconds):7.3f}   max {max(seconds):7.3f}")


def flashing(folder, runs, busy_ms):
    """On a board whose erases and programs last longer by that, as real ones do."""
    subprocess.run(["build/virtual-lab", "ctl", "faults", "1-1", *([f"busy-ms={busy_ms}"] if busy_ms else [])], check=True)
    ours, theirs, over_waits, over_all = [], [], [], []
    for run in range(runs):
        in_bootloader()
        recording = folder / "recording"
        ours.append(timed("build/hilmark", "flash", "--lab", LAB, "--unit", "virtual-1", one_mebibyte_image(folder, 2 * run),
                          "--record", recording))
        took, demanded, with_transfers = writing_against_waits(recording)
        over_waits.append(took / demanded)
        over_all.append(took / with_transfers)
        in_bootloader()
        image = one_mebibyte_image(folder, 2 * run + 1)
        back = folder / "back"
        back.unlink(missing_ok=True)  # dfu-util writes over nothing
        theirs.append(timed("dfu-util", "-p", "1-1", "-a", "0", "-s", "0x08000000", "-D", image)
                      + timed("dfu-util", "-p", "1-1", "-a", "0", "-s", f"0x08000000:{MIB}", "-U", back))
    print(f"flash 1 MiB by DfuSe, an erase lasts {2 + busy_ms} ms and a block of 2 KiB {1 + busy_ms} ms")
    row("  hilmark (verify, boot, proof)", ours)
    row("  dfu-util -D, then -U to verify", theirs)
    print(f"  hilmark over dfu-util: {statistics.median(ours) / statistics.median(theirs):.2f}")
    print(f"  writing over the waits that the board demands: {statistics.median(over_waits):.3f}; and over these with the "
          f"transfers: {statistics.median(over_all):.3f}")


def main():
    runs = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="hilmark-bench-") as name:
        folder = pathlib.Path(name)
        verdicts, whole = zip(*(first_verdict(folder, run) for run in range(runs)))
        row("hilmark run: start to first verdict", verdicts)
        row("hilmark run: whole command, one case", whole)
        flashing(folder, runs, 0)
        flashing(folder, min(runs, 3), 30)


if __name__ == "__main__":
    main()
