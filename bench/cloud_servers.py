"""The TLS servers that the cloud's benches compare: hilmark's endpoint, Mosquitto's TLS listener, openssl s_server."""

import contextlib
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, name, process, port):
        self.name, self.process, self.port = name, process, port

    def cpu_seconds(self):
        """Of all its threads, and of the brokers that it started."""
        return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in tasks_of(self.process.pid)) / 1e9

    def rss_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) * 1024


def tasks_of(pid):
    tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    children = [child for task in tasks for child in task.joinpath("children").read_text().split()]
    return tasks + [task for child in children for task in tasks_of(child)]


def await_port(port):
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise


class Bench:
    """A folder with the certificates, and the servers that run on them."""

    def __init__(self):
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="hilmark-bench-")))
        self.ours = self.start_ours()
        self.name = (self.folder / "name").read_text()
        return self

    def __exit__(self, *why):
        self.stack.close()

    def keep(self, process):
        def end():
            process.kill()
            process.wait()
        self.stack.callback(end)
        return process

    def start_ours(self):
        process = self.keep(subprocess.Popen(["build/hilmark_bench_cloud_endpoint", self.folder], stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, text=True))
        return Server("hilmark", process, int(process.stdout.readline()))

    def start_mosquitto(self):
        port = free_port()
        configuration = self.folder / "mosquitto.conf"
        # As root it would change its user, who may not read the folder.
        configuration.write_text(f"""listener {port} 127.0.0.1
user root
allow_anonymous true
require_certificate true
cafile {self.folder}/authorities.pem
certfile {self.folder}/server.pem
keyfile {self.folder}/server.key
log_type none
max_inflight_messages 100
max_queued_messages 1000
set_tcp_nodelay true
sys_interval 0
""")
        process = self.keep(subprocess.Popen(["/usr/sbin/mosquitto", "-c", configuration], stderr=subprocess.DEVNULL))
        await_port(port)
        return Server("mosquitto", process, port)

    def start_s_server(self):
        port = free_port()
        process = self.keep(subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-cert", self.folder / "server.pem", "-cert_chain",
             self.folder / "server.pem", "-key", self.folder / "server.key", "-CAfile", self.folder / "authorities.pem",
             "-Verify", "2", "-verify_return_error", "-quiet"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        await_port(port)
        return Server("s_server", process, port)

    def client(self, chain=False, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(self.folder / ("device_chain.pem" if chain else "device.pem"), self.folder / "device.key")
        return context

    def connect(self, context, server):
        """A connection whose handshake is done on the client's side."""
        raw = socket.create_connection(("127.0.0.1", server.port), 10)
        return context.wrap_socket(raw, server_hostname=self.name)
