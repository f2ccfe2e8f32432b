"""MQTT 3.1.1 by hand over Python's TLS, for end-to-end tests that must send what no client library sends."""

import socket
import ssl

LIMIT_S = 20
PINGREQ, PINGRESP = b"\xc0\x00", b"\xd0\x00"


def text(value):
    octets = value.encode() if isinstance(value, str) else value
    return len(octets).to_bytes(2, "big") + octets


def packet(first, body):
    length, rest = b"", len(body)
    while True:
        length += bytes([rest % 128 | (0x80 if rest >= 128 else 0)])
        rest //= 128
        if not rest:
            return bytes([first]) + length + body


def connect(client_id, keep_alive=60):
    return packet(0x10, text("MQTT") + b"\x04\x02" + keep_alive.to_bytes(2, "big") + text(client_id))


def publish(topic, payload, packet_id=None):
    number = packet_id.to_bytes(2, "big") if packet_id else b""
    return packet(0x32 if packet_id else 0x30, text(topic) + number + payload)


def subscribe(topic, packet_id=1):
    return packet(0x82, packet_id.to_bytes(2, "big") + text(topic) + b"\x01")


def tls(cloud, name, certificate=None, key=None, region="us-east-1"):
    """A connection to the MQTT port of a region whose handshake is done. `name` is what its ClientHello asks for; the
    server's own is not looked at, since a test may ask for anybody's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cloud.ready["root_ca"])
    if certificate:
        context.load_cert_chain(certificate, key)
    plain = socket.create_connection((cloud.ready["regions"][region]["address"], cloud.mqtt_port(region)), timeout=LIMIT_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def take(connection, count):
    """So many octets, or fewer where the server closes."""
    octets = b""
    while len(octets) < count:
        more = connection.recv(count - len(octets))
        if not more:
            break
        octets += more
    return octets


def outcome(cloud, name, certificate=None, key=None, client_id="lamp"):
    """What becomes of a connection: "served", "closed", or the alert."""
    try:
        with tls(cloud, name, certificate, key) as connection:
            connection.sendall(connect(client_id))
            return "served" if take(connection, 4) == b"\x20\x02\x00\x00" else "closed"
    except ssl.SSLEOFError:
        return "closed"
    except ssl.SSLError as error:
        return str(error.reason).lower()
    except ConnectionError:
        return "closed"
