"""Authorities, made with the openssl program, and a TLS server that speaks just enough MQTT."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading

DEADLINE_S = 10.0
ALERTS = {"refuse": ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, "revoked": ssl.ALERT_DESCRIPTION_CERTIFICATE_REVOKED}


def der_of(chain):
    end = "-----END CERTIFICATE-----"
    return [ssl.PEM_cert_to_DER_cert(block.strip() + "\n" + end) for block in chain.split(end)[:-1]]


class Authorities:
    """root -> server certificates; device root -> device intermediate -> what the units get."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("root", "stranger", "device_root"):
            self._new(name, "/CN=hilmark test " + name)
        self._sign("device_ca", self._request("device_ca", "/CN=hilmark test device ca"), "device_root",
                   "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign")

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def _run(self, *arguments):
        subprocess.run(("openssl",) + arguments, check=True, capture_output=True)

    def _key(self, name):
        self._run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path(name + ".key"))

    def _new(self, name, subject):
        self._key(name)
        self._run("req", "-x509", "-key", self.path(name + ".key"), "-subj", subject, "-days", "10", "-out",
                  self.path(name + ".pem"), "-addext", "keyUsage=critical,keyCertSign")

    def _request(self, name, subject):
        self._key(name)
        self._run("req", "-new", "-key", self.path(name + ".key"), "-subj", subject, "-out", self.path(name + ".csr"))
        return self.path(name + ".csr")

    def _sign(self, name, request, issuer, extensions):
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write(extensions + "\n")
        self._run("x509", "-req", "-in", request, "-CA", self.path(issuer + ".pem"), "-CAkey",
                  self.path(issuer + ".key"), "-days", "5", "-extfile", self.path(name + ".ext"), "-out",
                  self.path(name + ".pem"))

    def server(self, host_name, issuer="root"):
        """The name under which certificate and key of a server lie."""
        name = "%s_%s" % (issuer, host_name[:200])  # of a file, which has a limit of its own
        if not os.path.exists(self.path(name + ".pem")):
            self._sign(name, self._request(name, "/CN=server"), issuer, "subjectAltName=DNS:" + host_name)
        return name

    def device_chain(self, request_pem):
        """Leaf, intermediate and root for a request whose own signature is right."""
        with open(self.path("device.csr"), "w", encoding="ascii") as file:
            file.write(request_pem)
        self._run("req", "-in", self.path("device.csr"), "-verify", "-noout")
        self._sign("device", self.path("device.csr"), "device_ca", "basicConstraints=CA:FALSE")
        return self.text("device.pem") + self.text("device_ca.pem") + self.text("device_root.pem")


class Connection:
    """What one connection showed."""

    def __init__(self):
        self.hello = b""
        self.server_name = None
        self.chain = []  # DER
        self.error = ""
        self.client_id = None
        self.connect_flags = None
        self.published = []  # (topic, payload, packet id, DUP)
        self.pings = 0
        self.served = False
        self.said_disconnect = False
        self.said_close_notify = False
        self.ended = False


def read_hello(stream, connection):
    """Peeks at the first record, so that ssl still finds it. False if the client closed before."""
    wanted = 5
    while True:
        octets = stream.recv(wanted, socket.MSG_PEEK | socket.MSG_WAITALL)
        if len(octets) < wanted:
            return False
        if wanted > 5:
            connection.hello = octets
            return True
        wanted = 5 + struct.unpack(">H", octets[3:5])[0]


def server_names(hello):
    """Each server_name extension's body in a ClientHello record."""
    return extensions(hello, 0)


def protocols(hello):
    """What the ALPN extension of a ClientHello record offers."""
    offered = []
    for body in extensions(hello, 16):
        at = 2
        while at < len(body):
            offered.append(body[at + 1 : at + 1 + body[at]].decode())
            at += 1 + body[at]
    return offered


def extensions(hello, wanted):
    """The body of each extension of this kind."""
    at = 5 + 4 + 34
    at += 1 + hello[at]
    at += 2 + struct.unpack_from(">H", hello, at)[0]
    at += 1 + hello[at]
    at += 2
    found = []
    while at < len(hello):
        kind, length = struct.unpack_from(">HH", hello, at)
        if kind == wanted:
            found.append(hello[at + 4 : at + 4 + length])
        at += 4 + length
    return found


class Server:
    """`plan(index, connection)` answers "serve", "close" (before CONNACK), "refuse" and "revoked" (TLS alerts), "reset"
    (in the handshake) or "mute" (no PUBACK)."""

    def __init__(self, authorities, certificate, port=0):
        self.authorities = authorities
        self.certificate = certificate
        self.plan = lambda index, connection: "serve"
        self.trusts = ("device_root",)
        self.tls = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        self.connections = []
        self.changed = threading.Condition()
        self.live = set()
        self.threads = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self._spawn(self._accept)

    def _spawn(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()
        for thread in self.threads:
            thread.join(DEADLINE_S)

    def drop(self):
        """Ends all connections that are there now."""
        with self.changed:
            for stream in self.live:
                with contextlib.suppress(OSError):  # the other end may have been quicker
                    stream.shutdown(socket.SHUT_RDWR)

    def wait(self, condition, what, seconds=DEADLINE_S):
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError("waited for %s; seen: %r" % (what, [vars(c) for c in self.connections[-3:]]))

    def wait_served(self, count=1):
        self.wait(lambda: len(self.served()) >= count, "%d served connections" % count)
        return self.served()[count - 1]

    def served(self):
        return [connection for connection in self.connections if connection.served]

    def wait_tries(self, count):
        self.wait(lambda: len([c for c in self.connections if c.ended]) >= count, "%d attempts" % count)
        return self.connections

    def _note(self, change):
        with self.changed:
            change()
            self.changed.notify_all()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            connection = Connection()
            self._note(lambda: (self.connections.append(connection), self.live.add(stream)))
            self._spawn(self._handle, stream, connection, len(self.connections) - 1)

    def _context(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = self.tls
        context.load_cert_chain(self.authorities.path(self.certificate + ".pem"),
                                self.authorities.path(self.certificate + ".key"))
        for name in self.trusts:
            context.load_verify_locations(self.authorities.path(name + ".pem"))
        context.verify_mode = ssl.CERT_REQUIRED

        def on_name(_, name, __):
            connection.server_name = name
            return ALERTS.get(connection.plan)

        context.sni_callback = on_name
        return context

    def _handle(self, stream, connection, index):
        connection.plan = self.plan(index, connection)
        try:
            if read_hello(stream, connection):
                self._shake_hands(stream, connection)
        except (OSError, EOFError) as error:
            connection.error = connection.error or str(error)
        finally:
            with self.changed:
                self.live.discard(stream)
            stream.close()
            self._note(lambda: setattr(connection, "ended", True))

    def _shake_hands(self, stream, connection):
        if connection.plan == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context(connection).wrap_bio(incoming, outgoing, server_side=True)

        def drive(action):
            while True:
                try:
                    result = action()
                    stream.sendall(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    stream.sendall(outgoing.read())
                    received = stream.recv(65536)
                    if not received:
                        raise EOFError("the end of TCP") from None
                    incoming.write(received)
                except ssl.SSLError:
                    stream.sendall(outgoing.read())
                    raise

        drive(tls.do_handshake)
        connection.chain = [certificate.public_bytes(ssl._ssl.ENCODING_DER)
                            for certificate in tls._sslobj.get_unverified_chain()]
        try:
            self._speak_mqtt(connection, lambda: drive(lambda: tls.read(65536)), lambda octets: drive(
                lambda: tls.write(octets)))
        except ssl.SSLZeroReturnError:
            connection.said_close_notify = True

    def _speak_mqtt(self, connection, read, write):
        octets = b""
        while True:
            packet, octets = split_packet(octets)
            while packet is None:
                received = read()
                if not received:
                    connection.said_close_notify = True
                    return
                octets += received
                packet, octets = split_packet(octets)
            answer = self._answer(connection, *packet)
            if answer is None:
                return
            if answer:
                write(answer)

    def _answer(self, connection, first, body):
        """None: the connection is to end."""
        if first >> 4 == 1:
            connection.connect_flags = body[7]
            connection.client_id = body[12:].decode()
            if connection.plan == "close" or body[7] & 1:
                return None
            self._note(lambda: setattr(connection, "served", True))
            return b"\x20\x02\x00\x00"
        if first >> 4 == 3:
            length = struct.unpack_from(">H", body)[0]
            packet_id = body[2 + length : 4 + length]
            message = (body[2 : 2 + length].decode(), body[4 + length :], struct.unpack(">H", packet_id)[0],
                       bool(first & 8))
            self._note(lambda: connection.published.append(message))
            return b"" if connection.plan == "mute" else b"\x40\x02" + packet_id
        if first == 0xC0:
            self._note(lambda: setattr(connection, "pings", connection.pings + 1))
            return b"\xd0\x00"
        if first == 0xE0:
            connection.said_disconnect = True
            return b""
        return None


def split_packet(octets):
    """((first octet, body), rest), or (None, octets) while it is not whole."""
    length, at = 0, 1
    while at < len(octets):
        length |= (octets[at] & 0x7F) << (7 * (at - 1))
        at += 1
        if octets[at - 1] < 0x80:
            if len(octets) < at + length:
                break
            return (octets[0], octets[at : at + length]), octets[at + length :]
    return None, octets
