"""`hilmark cloud serve` under bad input on all its doors: each gets the service's own error or a closed connection, others
are served meanwhile, and afterwards the server is as it was: alive, no bigger, no descriptor more, and it ends clean."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import resource
import socket
import ssl
import tempfile
import time
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials

import mqtt
from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own, openssl

A = next(iter(ACCOUNTS))
LIMIT_S = 20
PROMPT_S = 3  # for one request among a thousand connections that hang; two cores may be shared
SLOW_CLIENTS = 1000
MUTANTS = 300
GROWTH_LIMIT_BYTES = 4 << 20  # of a second round that is the same as the first
SEED = 20260
HEX_ID = "ab" * 32
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def json_of(**members):
    return json.dumps(members).encode()


# What is sent: (method, target, body) -> status, exception. The exception is the model's where the model has the fault.
CASES = [
    ("POST", "/policies/p", b"x" * ((1 << 20) + 1), 413, "RequestEntityTooLargeException"),
    ("POST", "/policies/p", b'{"policyDocument": ', 400, "SerializationException"),
    ("POST", "/policies/p", b"\xff\xfe\x00", 400, "SerializationException"),
    ("POST", "/policies/p", b"[" * 100_000, 400, "SerializationException"),
    ("POST", "/policies/p", b'{"a":' * 50_000, 400, "SerializationException"),
    ("POST", "/policies/p", b"[]", 400, "SerializationException"),
    ("POST", "/policies/p", json_of(policyDocument=5), 400, "SerializationException"),
    ("POST", "/policies/p", json_of(policyDocument={"a": 1}), 400, "SerializationException"),
    ("POST", "/policies/p", json_of(policyDocument=None), 400, "InvalidRequestException"),
    ("POST", "/policies/p", json_of(policyDocument="{"), 400, "MalformedPolicyException"),
    ("POST", "/policies/p", json_of(policyDocument=POLICY, tags="none"), 400, "SerializationException"),
    ("POST", "/things/t", json_of(attributePayload={"attributes": ["a"]}), 400, "SerializationException"),
    ("POST", "/things/t", json_of(attributePayload={"attributes": {"k": "v" * 65536}}), 400, "InvalidRequestException"),
    ("POST", "/things/t", json_of(thingTypeName="n" * 65536), 400, "InvalidRequestException"),
    ("POST", "/things/" + "n" * 65536, b"{}", 431, "RequestHeaderFieldsTooLargeException"),
    ("POST", "/things/" + "n" * 8192, b"{}", 400, "InvalidRequestException"),
    ("POST", "/things/%F0%9F%92%A1", b"{}", 400, "InvalidRequestException"),
    ("POST", "/things/%FF%FE", b"{}", 400, None),
    ("POST", "/things/%00", b"{}", 400, "InvalidRequestException"),
    ("POST", "/thing-groups/%E2%80%AE", b"{}", 400, "InvalidRequestException"),
    ("PUT", f"/certificates/{HEX_ID}?newStatus=SHINY", b"", 400, "InvalidRequestException"),
    ("PUT", f"/certificates/{HEX_ID}?newStatus=ACTIVE", b"", 404, "ResourceNotFoundException"),
    ("PUT", f"/certificates/{HEX_ID}?newStatus=ACTIVE&newStatus=SHINY", b"", 400, "InvalidRequestException"),
    ("GET", "/certificates?pageSize=1&pageSize=2&pageSize=x", b"", 400, None),
    ("GET", "/certificates?pageSize=99999999999999999999", b"", 400, None),
    ("GET", "/certificates?marker=%21%21%21", b"", 400, "InvalidRequestException"),
    ("GET", "/certificates/" + "z" * 64, b"", 400, "InvalidRequestException"),
    ("GET", "/certificates/" + "a" * 63, b"", 400, "InvalidRequestException"),
    ("GET", "/cacertificate/" + "g" * 64, b"", 400, "InvalidRequestException"),
    ("POST", "/cacertificate", json_of(caCertificate="PEM"), 400, "CertificateValidationException"),
    ("POST", "/cacertificate", json_of(caCertificate="PEM", certificateMode="BOTH"), 400, "InvalidRequestException"),
    ("POST", "/certificate/register", json_of(certificatePem=""), 400, "InvalidRequestException"),
    ("POST", "/certificate/register-no-ca", json_of(certificatePem="\0" * 100), 400, "CertificateValidationException"),
    ("POST", "/certificate/register-no-ca", json_of(certificatePem=PEM.format("AAAA")), 400, "CertificateValidationException"),
    ("POST", "/certificate/register-no-ca", json_of(certificatePem=PEM.format("%$§")), 400, "CertificateValidationException"),
    ("POST", "/certificate/register-no-ca", json_of(certificatePem=PEM.format("MIIC" * 15_000)), 400,
     "CertificateValidationException"),
    ("POST", "/certificate/register-no-ca", json_of(certificatePem="x" * 65537), 400, "InvalidRequestException"),
    ("POST", "/certificates", json_of(certificateSigningRequest=PEM.format("AAAA")), 400, "InvalidRequestException"),
    ("GET", "/no/such/operation", b"", 404, "UnknownOperationException"),
]
# What is no HTTP: closed, with or without an error, whatever it is.
NOT_HTTP = [
    b"\r\n" * 5000,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /things HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /things/t HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /things/t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /things/t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /things/t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"GET /things HTTP/1.1\r\n" + b"".join(b"X-%d: flood\r\n" % number for number in range(10_000)) + b"\r\n",
    b"GET /things HTTP/1.1\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
    b"GET /things HTTP/1.1\r\nbad header\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00" + bytes(500),
]


def resident_bytes(pid):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def mutated(source, octets):
    """One of the ways in which a packet can be wrong, by chance."""
    octets = bytearray(octets)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(octets)) if octets else 0
        kind = source.randrange(5)
        if kind == 0 and octets:
            octets[at] ^= 1 << source.randrange(8)
        elif kind == 1:
            octets[at:at] = source.randbytes(source.randint(1, 20))
        elif kind == 2:
            del octets[at:at + source.randint(1, 20)]
        elif kind == 3 and octets:
            octets[at] = source.choice((0, 0x7f, 0x80, 0xff))
        else:
            octets[at:at] = octets[:source.randint(1, 20)]
    return bytes(octets)


class BadInput(unittest.TestCase):
    def setUp(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-bad-input-")))
        self.cloud = self.enterContext(Cloud())
        self.client = self.cloud.client()
        self.addCleanup(self.client.close)
        self.client.create_policy(policyName="devices", policyDocument=POLICY)
        made = self.client.create_keys_and_certificate(setAsActive=True)
        self.client.attach_policy(policyName="devices", target=made["certificateArn"])
        self.device = (self.folder / "device.pem", self.folder / "device.key")
        self.device[0].write_text(made["certificatePem"])
        self.device[1].write_text(made["keyPair"]["PrivateKey"])
        self.control = ("127.0.0.1", int(self.cloud.ready["control"].rsplit(":", 1)[1]))
        self.mqtt = (self.cloud.ready["regions"]["us-east-1"]["address"], self.cloud.mqtt_port())

    def signed(self, method, target, body):
        """A whole request, signed as the SDKs sign it."""
        request = botocore.awsrequest.AWSRequest(method=method, url=self.cloud.ready["control"] + target, data=body,
                                                 headers={"Host": f"127.0.0.1:{self.control[1]}"})
        botocore.auth.SigV4Auth(botocore.credentials.Credentials("hilmark-a", "hilmark-a"), "iot", "us-east-1").add_auth(request)
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items()),
                 f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def answer(self, octets):
        with socket.create_connection(self.control, timeout=LIMIT_S) as connection:
            connection.sendall(octets)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, response.headers, response.read()

    def served(self):
        """The API and the endpoint serve; how long each took."""
        begun = time.monotonic()
        self.client.list_things()
        api_done = time.monotonic()
        self.assertEqual(mqtt.outcome(self.cloud, self.cloud.endpoint(A), *self.device, client_id="good"), "served",
                         self.cloud.told())
        return api_done - begun, time.monotonic() - api_done

    def served_promptly(self):
        for took in self.served():
            self.assertLess(took, PROMPT_S)

    def until_closed(self, connection, octets):
        """Sends, ends its own side, and reads to the other's end, which must come."""
        with contextlib.suppress(ConnectionError, ssl.SSLError, BrokenPipeError):
            connection.sendall(octets)
            socket.socket.shutdown(connection, socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def bad_requests(self):
        for method, target, body, status, exception in CASES:
            with self.subTest(request=f"{method} {target[:60]} {body[:60]}"):
                got, headers, told = self.answer(self.signed(method, target, body))
                self.assertEqual(got, status, told)
                self.assertTrue(headers["x-amzn-RequestId"])
                self.assertIn("message", json.loads(told))
                if exception:
                    self.assertEqual(headers["x-amzn-ErrorType"], exception, told)

    def no_requests(self):
        for octets in NOT_HTTP:
            with self.subTest(octets=octets[:60]), socket.create_connection(self.control, timeout=LIMIT_S) as connection:
                self.until_closed(connection, octets)

    def pipelined(self):
        """Good ones are answered in order; garbage after them ends the connection with one error."""
        with socket.create_connection(self.control, timeout=LIMIT_S) as connection:
            connection.sendall(self.signed("GET", "/things", b"") * 50 + b"\0garbage\r\n\r\n")
            told = b""
            while more := connection.recv(65536):
                told += more
        self.assertEqual(told.count(b"HTTP/1.1 200 OK"), 50)
        self.assertEqual(told.count(b"HTTP/1.1 400 "), 1)

    def odd_certificates(self):
        """A negative serial number is wrong by RFC 5280, but such certificates are about: any answer but a failure."""
        stem = self.folder / f"odd-{os.urandom(4).hex()}"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{stem}.key",
                "-out", f"{stem}.csr", "-subj", "/CN=odd")
        openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", self.authority.certificate, "-CAkey", self.authority.key,
                "-set_serial", "-77", "-out", f"{stem}.pem", "-days", "30")
        pem = pathlib.Path(f"{stem}.pem").read_text()
        status, _, told = self.answer(self.signed("POST", "/certificate/register-no-ca",
                                                  json_of(certificatePem=pem, status="INACTIVE")))
        self.assertIn(status, (200, 400), told)
        self.assertEqual(mqtt.outcome(self.cloud, self.cloud.endpoint(A), f"{stem}.pem", f"{stem}.key"), "closed")
        if status == 200:
            self.client.delete_certificate(certificateId=json.loads(told)["certificateId"])

    @contextlib.contextmanager
    def slow_clients(self, address, octets):
        """So many connections that have begun something and do not go on."""
        with contextlib.ExitStack() as held:
            for _ in range(SLOW_CLIENTS):
                connection = held.enter_context(socket.create_connection(address, timeout=LIMIT_S))
                connection.sendall(octets)
            yield

    @contextlib.contextmanager
    def slow_connects(self):
        """As slow_clients(), after a whole handshake: half a CONNECT."""
        context = ssl.create_default_context(cafile=self.cloud.ready["root_ca"])
        context.check_hostname = False
        half = mqtt.connect("slow")[:9]
        with contextlib.ExitStack() as held:
            for _ in range(SLOW_CLIENTS):
                plain = socket.create_connection(self.mqtt, timeout=LIMIT_S)
                connection = held.enter_context(context.wrap_socket(plain, server_hostname=self.cloud.endpoint(A)))
                connection.sendall(half)
            yield

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=self.cloud.endpoint(A))
        with contextlib.suppress(ssl.SSLWantReadError):
            connection.do_handshake()
        return outgoing.read()

    def tls_garbage(self, source):
        https = (self.mqtt[0], self.cloud.ready["regions"]["us-east-1"]["https"])
        hello = self.client_hello()
        for number in range(MUTANTS):
            octets = mutated(source, hello) if number % 3 else source.randbytes(source.randint(1, 3000))
            with socket.create_connection(https if number % 4 == 0 else self.mqtt, timeout=LIMIT_S) as connection:
                self.until_closed(connection, octets)

    def mqtt_garbage(self, source):
        good = mqtt.connect("mutant")
        packets = [good, mqtt.publish("a/b", b"payload", 7), mqtt.publish("a/b", b"payload"), mqtt.subscribe("a/#"),
                   mqtt.packet(0xa2, b"\0\1" + mqtt.text("a/#")), mqtt.PINGREQ, mqtt.packet(0x40, b"\0\1")]
        for number in range(MUTANTS):
            packet = packets[number % len(packets)]
            with mqtt.tls(self.cloud, self.cloud.endpoint(A), *self.device) as connection:
                if packet is not good:
                    connection.sendall(good)
                    self.assertEqual(mqtt.take(connection, 4), b"\x20\x02\x00\x00")
                self.until_closed(connection, mutated(source, packet))

    def one_round(self):
        source = random.Random(SEED)
        self.bad_requests()
        self.no_requests()
        self.pipelined()
        self.odd_certificates()
        self.tls_garbage(source)
        self.mqtt_garbage(source)
        with self.slow_clients(self.control, b"POST /things/t HTTP/1.1\r\nHost: a\r\nX-Slow: "):
            self.served_promptly()
        with self.slow_clients(self.mqtt, self.client_hello()[:100]):
            self.served_promptly()
        with self.slow_connects():
            self.served_promptly()

    def at_rest(self):
        """The server's descriptors when it serves nobody: it may close a connection a little later than its client does."""
        counts = []
        for _ in range(10):
            self.served()
            counts.append(descriptors(self.cloud.pid))
        return min(counts)

    def expect_no_more_than(self, limit):
        """The server's descriptors come down to so many in time."""
        deadline = time.monotonic() + LIMIT_S
        while descriptors(self.cloud.pid) > limit and time.monotonic() < deadline:
            self.served()
        self.assertLessEqual(descriptors(self.cloud.pid), limit)

    def test_bad_input_leaves_the_cloud_as_it_was(self):
        self.authority = Authority(self.folder)
        first = self.at_rest()
        self.one_round()
        self.expect_no_more_than(first)
        after_first = resident_bytes(self.cloud.pid)
        self.one_round()
        self.expect_no_more_than(first)
        growth = resident_bytes(self.cloud.pid) - after_first
        print(f"resident after one round {after_first >> 10} KiB, a second one adds {growth >> 10} KiB; seed {SEED}")
        self.assertLess(growth, GROWTH_LIMIT_BYTES)
        # It ends clean (which leaving the cloud judges) even if others hang on.
        with self.slow_clients(self.mqtt, self.client_hello()[:100]):
            self.cloud.__exit__(None, None, None)


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
