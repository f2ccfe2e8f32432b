"""docs/desk.md, command for command, with the real CLI: its shell blocks run one after the other in an empty folder, in a
network and mount namespace of their own (standard ports, and a hosts file that may be written)."""

import array
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

from lab import BUILD

DOCUMENT = pathlib.Path("docs/desk.md")
LIMIT_S = 300
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
ARTICLE = {"certificateArn", "certificateId", "status", "certificatePem", "ownedBy", "creationDate", "autoRegistrationStatus",
           "lastModifiedDate", "customerVersion", "generationId", "validity", "certificateMode"}


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = array.array("B", b"lo".ljust(16, b"\0") + bytes(24))
        fcntl.ioctl(control, SIOCGIFFLAGS, request)
        flags = int.from_bytes(request[16:18], sys.byteorder) | IFF_UP
        request[16:18] = array.array("B", flags.to_bytes(2, sys.byteorder))
        fcntl.ioctl(control, SIOCSIFFLAGS, request)


def inside(folder, script):
    """In the namespaces: what the document's reader has, then the document."""
    loopback_up()
    hosts = folder / ".hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    target = pathlib.Path("/etc/hosts")
    if not target.exists():  # a bare machine may have none; this one is taken away with the test's end
        target.touch()
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    environment = {"PATH": f"{BUILD.resolve()}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    os.chdir(folder)
    os.execve("/bin/bash", ["bash", "-euo", "pipefail", str(script)], environment)


def described(folder, name):
    description = json.loads((folder / name).read_text())["certificateDescription"]
    assert set(description) == ARTICLE, f"{name}: {sorted(set(description) ^ ARTICLE)}"
    assert re.fullmatch(r"[0-9a-f]{64}", description["certificateId"])
    assert re.fullmatch(r"arn:aws:iot:us-east-1:\d{12}:cacert/[0-9a-f]{64}", description["certificateArn"])
    assert (description["status"], description["autoRegistrationStatus"]) == ("ACTIVE", "ENABLE")
    assert description["customerVersion"] == 1
    return description


def main():
    if len(sys.argv) == 3:
        inside(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    assert len(blocks) >= 8, f"{DOCUMENT} has {len(blocks)} shell blocks"
    made_hosts = not pathlib.Path("/etc/hosts").exists()
    with tempfile.TemporaryDirectory(prefix="hilmark-desk-") as name:
        folder = pathlib.Path(name)
        script = folder / ".desk.sh"
        script.write_text("trap 'kill ${CLOUD:-} 2>/dev/null || true' EXIT\n" + "\n".join(blocks))
        namespaces = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
        run = subprocess.Popen([*namespaces, sys.executable, __file__, str(folder), str(script)], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            told, _ = run.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            told, _ = run.communicate()
            sys.exit(f"{told}\nnot done after {LIMIT_S} s")
        finally:
            if made_hosts:
                pathlib.Path("/etc/hosts").unlink(missing_ok=True)
        print(told)
        assert run.returncode == 0, f"the document's commands ended with {run.returncode}"
        first, second = described(folder, "described_1.json"), described(folder, "described_2.json")
        assert (first["certificateMode"], first["ownedBy"]) == ("DEFAULT", "111111111111")
        assert (second["certificateMode"], second["ownedBy"]) == ("SNI_ONLY", "222222222222")
        assert first["certificateId"] == second["certificateId"]
        assert (folder / "cloud.db").stat().st_mode & 0o077 == 0, "the state is readable by others"
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        served = [event["data"]["account"] for event in events if event.get("kind") == "connack"]
        assert served == ["111111111111", "222222222222"], served
        registered = [event["data"]["by"] for event in events if event.get("kind") == "registered"]
        assert registered == ["jitp", "jitp"], registered
        assert "served by account 222222222222" in told
    print("desk: as the document says")


main()
