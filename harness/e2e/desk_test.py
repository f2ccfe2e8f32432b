"""docs/desk.md, command for command, with the real CLI: its shell blocks run one after the other in an empty folder, in a
network and mount namespace of their own (standard ports, and a hosts file that may be written)."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from cloud import in_a_world_of_its_own
from lab import BUILD

DOCUMENT = pathlib.Path("docs/desk.md")
LIMIT_S = 300
ARTICLE = {"certificateArn", "certificateId", "status", "certificatePem", "ownedBy", "creationDate", "autoRegistrationStatus",
           "lastModifiedDate", "customerVersion", "generationId", "validity", "certificateMode"}


def described(folder, name):
    description = json.loads((folder / name).read_text())["certificateDescription"]
    assert set(description) == ARTICLE, f"{name}: {sorted(set(description) ^ ARTICLE)}"
    assert re.fullmatch(r"[0-9a-f]{64}", description["certificateId"])
    assert re.fullmatch(r"arn:aws:iot:us-east-1:\d{12}:cacert/[0-9a-f]{64}", description["certificateArn"])
    assert (description["status"], description["autoRegistrationStatus"]) == ("ACTIVE", "ENABLE")
    assert description["customerVersion"] == 1
    return description


def main():
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    assert len(blocks) >= 8, f"{DOCUMENT} has {len(blocks)} shell blocks"
    in_a_world_of_its_own()
    with tempfile.TemporaryDirectory(prefix="hilmark-desk-") as name:
        folder = pathlib.Path(name)
        script = folder / ".desk.sh"
        script.write_text("trap 'kill ${CLOUD:-} 2>/dev/null || true' EXIT\n" + "\n".join(blocks))
        environment = {"PATH": f"{BUILD.resolve()}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        run = subprocess.Popen(["/bin/bash", "-euo", "pipefail", str(script)], stdout=subprocess.PIPE, cwd=folder,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True, env=environment)
        try:
            told, _ = run.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            told, _ = run.communicate()
            sys.exit(f"{told}\nnot done after {LIMIT_S} s")
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
