"""Bad input at every door of `hilmark cloud serve`: errors as the service's model has them or closed connections, others served
meanwhile, and nothing that grows."""

import json
import os
import pathlib
import random
import resource
import socket
import ssl
import subprocess
import tempfile
import unittest
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own, lead

A = next(iter(ACCOUNTS))
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
LIMIT_S = 20
SLOW = 1000
# Kept evidence, caches and the allocator's slack are bounded; what a leak of one round would make is far above.
GROWTH_KIB = 8 * 1024


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16384), most))
        cls.seed = int(os.environ.get("HILMARK_SEED", random.SystemRandom().randrange(2**32)))
        print(f"seed {cls.seed}", flush=True)

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-bad-")))
        self.authority = Authority(self.folder)
        self.pem, self.certificate, self.key = self.authority.sign("lamp")
        self.chance = random.Random(self.seed)
        self.cloud = self.enterContext(Cloud())
        lead(self.cloud.endpoint(A))
        self.client = self.cloud.client()
        self.addCleanup(self.client.close)
        self.client.create_policy(policyName="devices", policyDocument=POLICY)
        made = self.client.register_certificate_without_ca(certificatePem=self.pem, status="ACTIVE")
        self.client.attach_policy(policyName="devices", target=made["certificateArn"])
        host, port = self.cloud.ready["control"].removeprefix("http://").rsplit(":", 1)
        self.control = (host, int(port))
        self.mqtt = ("127.0.0.1", self.cloud.mqtt_port())

    # What is asked, and how

    def call(self, method, path, body=b"", **headers):
        """A request that is signed as it must be, however wrong it is otherwise: status, exception, message."""
        request = botocore.awsrequest.AWSRequest(method, self.cloud.ready["control"] + path, data=body,
                                                 headers={"content-type": "application/json", **headers})
        keys = botocore.credentials.Credentials("hilmark-a", "hilmark-a")
        botocore.auth.SigV4Auth(keys, "iot", "us-east-1").add_auth(request)
        with socket.create_connection(self.control, LIMIT_S) as link:
            link.sendall(f"{method} {path} HTTP/1.1\r\nhost: {self.control[0]}:{self.control[1]}\r\n".encode())
            for name, value in request.headers.items():
                link.sendall(f"{name}: {value}\r\n".encode())
            try:
                link.sendall(f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # answered before all of it was read
            return read_answer(link)

    def served(self):
        done = subprocess.run(["mosquitto_pub", "-h", self.cloud.endpoint(A), "-p", str(self.mqtt[1]), "--cafile",
                               self.cloud.ready["root_ca"], "--cert", self.certificate, "--key", self.key, "-i",
                               "good", "-q", "1", "-t", "lamps/1", "-m", "hello"], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr + self.cloud.told())
        self.assertEqual(self.client.list_policies()["policies"][0]["policyName"], "devices")

    def secured(self):
        """A TLS connection as a good device makes it."""
        tls = ssl.create_default_context(cafile=self.cloud.ready["root_ca"])
        tls.load_cert_chain(self.certificate, self.key)
        return tls.wrap_socket(socket.create_connection(self.mqtt, LIMIT_S), server_hostname=self.cloud.endpoint(A))

    def held(self):
        """Resident memory in KiB, and open descriptors."""
        status = pathlib.Path(f"/proc/{self.cloud.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return resident, len(os.listdir(f"/proc/{self.cloud.pid}/fd"))

    def assert_nothing_grows(self, round_of_bad_input):
        round_of_bad_input()
        self.served()
        before, descriptors = self.held()
        for _ in range(2):
            round_of_bad_input()
        self.served()
        after, descriptors_after = self.held()
        self.assertLess(after - before, GROWTH_KIB, "resident memory grew from round to round")
        # A connection that the last check has just ended may still be there.
        self.assertLessEqual(descriptors_after, descriptors + 2)

    # The control plane

    def test_requests_that_cannot_be_meant(self):
        wide = "n" * 65536
        leaf = self.pem
        table = [
            ("POST", "/certificate/register-no-ca", b"{" + b" " * (1 << 20) + b"}", 413, "RequestEntityTooLargeException"),
            ("POST", "/certificate/register-no-ca", b'{"certificatePem": ', 400, "SerializationException"),
            ("POST", "/certificate/register-no-ca", b"\xff\xfe\x00", 400, "SerializationException"),
            ("POST", "/certificate/register-no-ca", b"[" * 100_000, 400, "SerializationException"),
            ("POST", "/certificate/register-no-ca", b'{"certificatePem": 7}', 400, None),
            ("POST", "/certificate/register-no-ca", b'{"certificatePem": {"a": []}}', 400, None),
            ("POST", "/certificate/register-no-ca", b'{"certificatePem": "garbage"}', 400, "CertificateValidationException"),
            ("POST", "/certificate/register-no-ca", document(certificatePem=leaf.replace("M", "!", 40)), 400,
             "CertificateValidationException"),
            ("POST", "/certificate/register-no-ca", document(certificatePem=leaf[:300]), 400, "CertificateValidationException"),
            ("POST", "/certificate/register-no-ca", document(certificatePem=leaf, status="SHINY"), 400, None),
            ("POST", "/certificate/register-no-ca", document(certificatePem=self.negative_serial(), status="ACTIVE"), None, None),
            ("POST", f"/policies/{wide[:6000]}", document(policyDocument=POLICY), 400, None),
            ("POST", "/policies/%E2%98%83", document(policyDocument=POLICY), 400, None),
            ("POST", "/policies/" + urllib.parse.quote("\u202egnp.exe"), document(policyDocument=POLICY), 400, None),
            ("POST", "/things/" + "%00", b"{}", 400, None),
            ("POST", "/things/lamp", document(attributePayload={"attributes": {"a": "\u2603" * 2000}}), 400, None),
            ("GET", "/certificates/" + "g" * 64, b"", 400, None),
            ("GET", "/certificates/" + "a" * 63, b"", 400, None),
            ("GET", "/certificates/" + "A" * 64, b"", None, None),
            ("GET", "/certificates?pageSize=1&pageSize=2", b"", None, None),
            ("GET", "/certificates?pageSize=-1", b"", 400, None),
            ("GET", "/certificates?pageSize=99999999999999999999", b"", 400, None),
            ("GET", "/certificates?marker=%FF%FE", b"", 400, None),
            ("GET", "/certificates/%zz", b"", None, None),
            ("PATCH", "/certificates", b"", 404, "UnknownOperationException"),
            ("GET", "/../../etc/passwd", b"", 404, None),
        ]

        def round_of_bad_input():
            for method, path, body, status, exception in table:
                with self.subTest(path=path[:60], body=body[:60]):
                    got, said, message = self.call(method, path, body)
                    self.assertTrue(400 <= got < 500 or (status is None and got < 500), (got, said, message))
                    if status is not None:
                        self.assertEqual(got, status, (said, message))
                    if exception is not None:
                        self.assertEqual(said, exception)
                    if got >= 400:
                        self.assertTrue(said, "an error names its exception")
                        self.assertLess(len(message), 2000, "a message does not repeat what is too long")
        self.assert_nothing_grows(round_of_bad_input)

    def negative_serial(self):
        """The leaf with its serial number made negative. It is a version 1 certificate, whose first INTEGER that is."""
        der = bytearray(ssl.PEM_cert_to_DER_cert(self.pem))
        at = next(at for at in range(2, 12) if der[at] == 2)
        der[at + 2] |= 0x80
        return ssl.DER_cert_to_PEM_cert(bytes(der))

    def test_what_is_no_http_at_all(self):
        def round_of_bad_input():
            for octets in (b"\0" * 4096, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 200_000,
                           b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
                           b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n",
                           b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
                           b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
                           b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 50, self.chance.randbytes(5000)):
                with socket.create_connection(self.control, LIMIT_S) as link:
                    send_and_drain(link, octets)
        self.assert_nothing_grows(round_of_bad_input)

    # TLS and MQTT

    def test_tls_garbage(self):
        hello = client_hello(self.cloud.endpoint(A))

        def round_of_bad_input():
            for _ in range(150):
                damaged = bytearray(hello)
                for _ in range(self.chance.randrange(1, 6)):
                    damaged[self.chance.randrange(len(damaged))] = self.chance.randrange(256)
                with socket.create_connection(self.mqtt, LIMIT_S) as link:
                    send_and_drain(link, bytes(damaged[:self.chance.randrange(1, len(damaged) + 1)]))
            for octets in (b"", b"\x16\x03\x01\xff\xff" + bytes(70_000), b"GET / HTTP/1.1\r\n\r\n", self.chance.randbytes(9000)):
                with socket.create_connection(self.mqtt, LIMIT_S) as link:
                    send_and_drain(link, octets)
        self.assert_nothing_grows(round_of_bad_input)

    def test_mqtt_garbage(self):
        connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04lamp"
        connect_5 = b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04lamp"
        publish = b"\x32\x0e\x00\x07lamps/1\x00\x01abc"
        subscribe = b"\x82\x0c\x00\x01\x00\x07lamps/#\x01"

        def damaged(octets):
            copy = bytearray(octets)
            for _ in range(self.chance.randrange(1, 4)):
                copy[self.chance.randrange(len(copy))] = self.chance.randrange(256)
            return bytes(copy)

        def round_of_bad_input():
            for _ in range(60):
                greeting = self.chance.choice((connect, connect_5))
                what = self.chance.choice((damaged(greeting), greeting + damaged(publish), greeting + damaged(subscribe),
                                           greeting + self.chance.randbytes(300), self.chance.randbytes(300),
                                           greeting + publish[:-1] + b"\xff" * 5 + damaged(publish) * 20))
                with self.secured() as link:
                    send_and_drain(link, what)
        self.assert_nothing_grows(round_of_bad_input)

    # Slow ones

    def test_a_thousand_slow_clients_leave_others_served(self):
        hello = client_hello(self.cloud.endpoint(A))
        for where, beginning in ((self.control, b"POST /certificate/register-no-ca HTTP/1.1\r\nhost: a\r\n"), (self.mqtt, hello[:40]),
                                 (self.mqtt, b"")):
            with self.subTest(where=where, beginning=beginning[:10]):
                slow = []
                try:
                    for _ in range(SLOW):
                        link = socket.create_connection(where, LIMIT_S)
                        slow.append(link)
                        link.sendall(beginning)
                    for _ in range(3):
                        self.served()
                        for link in slow[::10]:
                            try:
                                link.sendall(b"x")
                            except OSError:
                                pass  # given up already
                finally:
                    for link in slow:
                        link.close()
                self.served()


def document(**members):
    return json.dumps(members).encode()


def read_answer(link):
    octets = b""
    try:
        while chunk := link.recv(65536):
            octets += chunk
    except ConnectionResetError:
        pass
    head, _, body = octets.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    parsed = json.loads(body) if body.startswith(b"{") else {}
    return int(lines[0].split()[1]), headers.get("x-amzn-errortype", "").split(":")[0], str(parsed.get("message", ""))


def send_and_drain(link, octets):
    """All of it, as far as the other side takes it; then whatever it says to the end that we give it."""
    link.settimeout(LIMIT_S)
    try:
        link.sendall(octets)
        if isinstance(link, ssl.SSLSocket):
            link.unwrap()
        else:
            link.shutdown(socket.SHUT_WR)
        while link.recv(65536):
            pass
    except (OSError, ssl.SSLError, ValueError):
        pass


def client_hello(name):
    """A ClientHello as OpenSSL sends it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
