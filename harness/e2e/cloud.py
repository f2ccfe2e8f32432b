"""The emulated cloud on its own, for end-to-end tests: `hilmark cloud serve`, the vendor's SDK against it, and a world in
which names lead where a test says."""

import array
import atexit
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from lab import BUILD

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
START_LIMIT_S, STOP_LIMIT_S = 30, 20
ACCOUNTS = {"111111111111": "hilmark-a", "222222222222": "hilmark-b"}


def in_a_world_of_its_own():
    """Runs the calling test again in a network and a mount namespace: standard ports, and a hosts file of its own."""
    if os.environ.get("HILMARK_OWN_WORLD") != "yes":
        namespaces = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
        os.environ["HILMARK_OWN_WORLD"] = "yes"
        os.execvp("unshare", [*namespaces, sys.executable, *sys.argv])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = array.array("B", b"lo".ljust(16, b"\0") + bytes(24))
        fcntl.ioctl(control, SIOCGIFFLAGS, request)
        flags = int.from_bytes(request[16:18], sys.byteorder) | IFF_UP
        request[16:18] = array.array("B", flags.to_bytes(2, sys.byteorder))
        fcntl.ioctl(control, SIOCSIFFLAGS, request)
    # /etc is laid over with a copy of itself, since a bare machine may have no hosts file to bind on.
    copy = pathlib.Path(tempfile.mkdtemp(prefix="hilmark-etc-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree("/etc", copy / "etc", symlinks=True, ignore_dangling_symlinks=True)
    hosts = copy / "etc" / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", str(copy / "etc"), "/etc"], check=True)


def lead(*names, address="127.0.0.1"):
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write(f"{address} {' '.join(names)}\n")


class Cloud:
    """`hilmark cloud serve` in a folder of its own; `with Cloud() as cloud`."""

    def __init__(self, *arguments, folder=None, ports=("--control", "0", "--mqtt", "0", "--https", "0")):
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="hilmark-cloud-")
        self.folder = pathlib.Path(folder or self._own.name)
        self.log = self.folder / "log.txt"
        self._ready_file = self.folder / "ready.json"
        self._command = [str(BUILD.resolve() / "hilmark"), "cloud", "serve", "--ready-file", str(self._ready_file),
                         *map(str, ports), *map(str, arguments)]
        self._process = None
        self.ready = None

    def __enter__(self):
        self._ready_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_LIMIT_S
        while not self._ready_file.exists():
            assert self._process.poll() is None, f"ended with {self._process.returncode}:\n{self.told()}"
            assert time.monotonic() < deadline, f"not ready after {START_LIMIT_S} s:\n{self.told()}"
            time.sleep(0.02)
        self.ready = json.loads(self._ready_file.read_text())
        return self

    def __exit__(self, *_):
        try:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            status = self._process.wait(STOP_LIMIT_S)
            assert status in (0, -signal.SIGKILL), f"ended with {status}:\n{self.told()}"
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            if self._own:
                self._own.cleanup()

    def kill(self):
        self._process.kill()
        self._process.wait()

    @property
    def pid(self):
        return self._process.pid

    def told(self):
        return self.log.read_text(errors="replace")[-4000:]

    def endpoint(self, account, region="us-east-1"):
        return self.ready["regions"][region]["endpoints"][account]

    def mqtt_port(self, region="us-east-1"):
        return self.ready["regions"][region]["mqtt"]

    def client(self, service="iot", account="111111111111", region="us-east-1", **settings):
        """botocore's client, which checks parameters and parses answers by the service's own model."""
        import botocore.session
        from botocore.config import Config
        keys = next(each for each in self.ready["accounts"] if each["id"] == account)
        session = botocore.session.Session()
        config = Config(retries={"max_attempts": 0}, parameter_validation=settings.pop("validate", True))
        client = session.create_client(service, region_name=region, endpoint_url=self.ready["control"], config=config,
                                       aws_access_key_id=keys["access_key"],
                                       aws_secret_access_key=settings.pop("secret", keys["secret_key"]))
        client.meta.events.register("after-call", check_members)
        return client


def check_members(http_response, parsed, model, **_):
    """The answer has no member that the service's model lacks."""
    if http_response.status_code >= 300 or model.service_model.metadata["protocol"] == "query":
        return
    body = http_response.content
    if not body or body == b"{}":
        return
    if model.output_shape is None or model.has_streaming_output:
        return
    unknown = list(unknown_members(json.loads(body), model.output_shape, model.name))
    assert not unknown, f"{model.name} answers what the model lacks: {unknown}"


def unknown_members(value, shape, where):
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, inner in value.items():
            if name not in members:
                yield f"{where}.{name}"
            elif inner is not None:
                yield from unknown_members(inner, members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from unknown_members(inner, shape.member, f"{where}[]")
    elif shape.type_name == "map":
        for inner in value.values():
            yield from unknown_members(inner, shape.value, f"{where}{{}}")


class Authority:
    """A certificate authority made by the openssl command, as the article makes it."""

    def __init__(self, folder, name="Example Vendor CA", days=1024, basic="CA:TRUE", key="rsa:2048"):
        self.folder = pathlib.Path(folder)
        self.stem = self.folder / f"ca_{abs(hash((name, days, basic, key))):x}"
        self.key, self.certificate = f"{self.stem}.key", f"{self.stem}.pem"
        extensions = pathlib.Path(f"{self.stem}.conf")
        extensions.write_text(f"[ v3_ca ]\nbasicConstraints = {basic}\n")
        openssl("req", "-new", "-newkey", *new_key(key), "-nodes", "-keyout", self.key, "-out", f"{self.stem}.csr", "-subj",
                f"/O=Example/CN={name}")
        openssl("x509", "-req", "-days", str(days), "-extfile", str(extensions), "-extensions", "v3_ca", "-in",
                f"{self.stem}.csr", "-signkey", self.key, "-out", self.certificate)

    @property
    def pem(self):
        return pathlib.Path(self.certificate).read_text()

    def sign(self, name, days=300, key="ec:prime256v1"):
        """A leaf for a common name: (certificate PEM, path of certificate, path of key)."""
        stem = self.folder / f"leaf_{name[:40].replace('/', '_')}_{os.urandom(4).hex()}"
        openssl("req", "-new", "-newkey", *new_key(key), "-nodes", "-keyout", f"{stem}.key", "-out", f"{stem}.csr", "-subj",
                f"/CN={name}")
        openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", self.certificate, "-CAkey", self.key, "-set_serial",
                f"0x{os.urandom(15).hex()}", "-out", f"{stem}.pem", "-days", str(days), "-sha256")
        return pathlib.Path(f"{stem}.pem").read_text(), f"{stem}.pem", f"{stem}.key"

    def proof(self, registration_code):
        return self.sign(registration_code)[0]


def new_key(kind):
    return ["ec", "-pkeyopt", f"ec_paramgen_curve:{kind[3:]}"] if kind.startswith("ec:") else [kind]


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {' '.join(arguments)}: {done.stderr}"
