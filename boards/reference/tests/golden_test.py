"""The golden image on a board that is only a flash, a bus and a console, against a real TLS server.

golden_test.py IMAGES [TEST...]"""

import os
import socket
import ssl
import sys
import tempfile
import time
import unittest

import cloud
import core
from cloud import der_of

IMAGES = sys.argv[1] if len(sys.argv) > 1 else "images"
NAME_A = "aaaa-ats.iot.us-east-1.amazonaws.test"
NAME_B = "bbbb-ats.iot.us-east-1.amazonaws.test"
LONG_NAME = "%s.9-%s.%s.%s" % ("a" * 63, "b" * 61, "c" * 63, "d" * 61)
assert len(LONG_NAME) == 253


# What the TLS library of each chip's firmware speaks.
TLS_VERSIONS = [ssl.TLSVersion.TLSv1_2]
if core.chip_of(os.path.join(IMAGES, "golden.img")) == "stm32h7":
    TLS_VERSIONS.append(ssl.TLSVersion.TLSv1_3)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.authorities = cloud.Authorities(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def board(self, image="golden"):
        board = core.Board(os.path.join(IMAGES, image + ".img"))
        self.addCleanup(lambda: self.assertEqual(board.errors, []))
        self.addCleanup(board.cut)
        self.assertEqual(board.boot(), "+BOOT " + board.build_id)
        return board

    def server(self, name=NAME_A, issuer="root", port=0):
        server = cloud.Server(self.authorities, self.authorities.server(name, issuer), port)
        self.addCleanup(server.stop)
        return server

    def install(self, board):
        board.do("AT+XKEYGEN")
        chain = self.authorities.device_chain(board.do("AT+XCSR?"))
        board.set(Certificate=chain)
        return chain

    def provision(self, board, server, name=NAME_A):
        chain = self.install(board)
        board.set(ThingName="unit-1", RootCA=self.authorities.text("root.pem"), Topic1="units/1", BackoffBaseMs=20,
                  BackoffCapMs=100, ConnectTimeoutMs=5000, ConnectAddress="127.0.0.1", Port=server.port,
                  Endpoint=name)
        return chain

    def provisioned(self, image="golden", name=NAME_A, port=0):
        server = self.server(name, port=port)
        board = self.board(image)
        chain = self.provision(board, server, name)
        return board, server, chain

    def served(self, board, server, count=1):
        """Both ends know of it."""
        board.expect("+CONNECTED")
        return server.wait_served(count)

    def reset(self, board):
        self.assertEqual(board.ask("AT+RESET"), "OK")
        board.wait_until_gone()
        self.assertEqual(board.left, core.RESET)
        board.boot()


class Console(Bench):
    def test_tells_what_runs(self):
        board = self.board()
        self.assertEqual(board.ask("AT"), "OK")
        self.assertEqual(board.ask("at+xbuild?\r"), "OK " + board.build_id)
        self.assertEqual(board.ask("AT+XDEFECT?"), "OK golden")
        self.assertEqual(board.ask("AT+CONF? About"), "OK hilmark reference firmware")
        self.assertEqual(board.ask("AT+CONF? ThingName"), "OK hilmark-unset")
        self.assertEqual(board.ask("AT+XCONF? Port"), "OK 8883")
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK")
        self.assertEqual(board.ask("AT+CONNECT?"), "OK 0 DISCONNECTED")
        self.assertEqual(board.erases + board.programs, 0)

    def test_echoes_the_longest_line(self):
        board = self.board()
        text = ("x\\A\\D\\\\" * 3000)[: 16383 - len("AT+XECHO ")]
        text = text[: len(text) - len(text) % 7]
        self.assertEqual(board.ask("AT+XECHO " + text), "OK " + text)
        self.assertTrue(board.ask("AT+XECHO " + "y" * 16375).startswith("ERR1 "))
        self.assertTrue(board.ask("AT+XECHO " + "y" * 100000).startswith("ERR1 "))
        self.assertEqual(board.ask("AT"), "OK")

    def test_refuses_bad_input_with_a_number_and_a_text(self):
        board = self.board()
        for line, number in ((b"hello", 2), (b"A", 2), (b"AT\x00", 2), (b"ATX", 3), (b"AT+", 3), (b"AT+NO", 3),
                             (b"AT+CONF", 4),
                             (b"AT+CONF Endpoint", 4), (b"AT+CONF Nothing=1", 11), (b"AT+CONF? Nothing", 11),
                             (b"AT+CONF Version=2", 12), (b"AT+CONF? key", 11), (b"AT+XCONF? pending_key", 11),
                             (b"AT+XECHO a\\b", 5), (b"AT+XECHO a\\", 5), (b"AT+RESET now", 4),
                             (b"AT+CONF Endpoint=127.0.0.1", 4), (b"AT+CONF Endpoint=a..b", 4),
                             (b"AT+CONF Endpoint=a.", 4), (b"AT+CONF Endpoint=" + b"a" * 254, 4),
                             (b"AT+CONF ThingName=", 4), (b"AT+CONF RootCA=rubbish", 4), (b"AT+CONF Topic1=a/#", 4),
                             (b"AT+CONF Certificate=rubbish", 23), (b"AT+XCONF Port=0", 4), (b"AT+XCONF Port=65536", 4),
                             (b"AT+XCONF Port=8883x", 4), (b"AT+XCONF ConnectAddress=1.2.3", 4),
                             (b"AT+XCONF ConnectAddress=1.2.3.256", 4), (b"AT+SEND1 x", 8)):
            with self.subTest(line=line[:40]):
                self.assertRegex(board.ask_raw(line), r"^ERR%d [A-Z]" % number)
        self.assertEqual(board.programs, 0)

    def test_ends_when_the_board_is_gone(self):
        for lost, how in (("bus", socket.SHUT_RDWR), ("console", socket.SHUT_WR)):
            board = self.board()
            getattr(board, lost).shutdown(how)
            with self.assertRaises(EOFError):
                board.expect("+NEVER")

    def test_leaves_for_the_bootloader(self):
        board = self.board()
        self.assertEqual(board.ask("AT+XBOOT"), "OK")
        board.wait_until_gone()
        self.assertEqual(board.left, core.ENTER_BOOTLOADER)

    def test_an_unknown_defect_runs_nothing(self):
        board = core.Board(os.path.join(IMAGES, "golden.img"))
        self.addCleanup(board.cut)
        at = len(board.image) - 64 + 8
        board.image = board.image[:at] + b"no-such".ljust(48, b"\0") + board.image[at + 48 :]
        board.boot()
        self.assertEqual(board.expect("+FATAL"), "+FATAL unknown defect")
        self.assertEqual(board.ask("AT+XDEFECT?"), "OK no-such")
        self.assertEqual(board.ask("AT+CONNECT"), "ERR92 unknown defect")


class Identity(Bench):
    def test_connects_and_comes_back_after_a_power_cut_with_the_same_certificate(self):
        board, server, chain = self.provisioned()
        board.do("AT+CONNECT")
        self.assertEqual(board.expect("+CONNECTED"), "+CONNECTED " + NAME_A)
        first = server.wait_served()
        self.assertEqual(board.ask("AT+CONNECT?"), "OK 1 CONNECTED")
        self.assertEqual((first.server_name, first.client_id), (NAME_A, "unit-1"))
        self.assertEqual(len(cloud.server_names(first.hello)), 1)
        self.assertEqual(first.chain, der_of(chain))
        board.cut()
        board.boot()
        second = server.wait_served(2)
        self.assertEqual((second.server_name, second.chain), (NAME_A, first.chain))
        self.reset(board)
        self.assertEqual(server.wait_served(3).chain, first.chain)
        self.assertEqual(unescaped(board, "Certificate"), chain)
        # One sector of the store, which is many of the flash where those are small.
        self.assertEqual(board.erases, max(1, 64 * 1024 // board.sector_bytes))

    def test_refuses_what_does_not_fit_and_keeps_the_old_certificate(self):
        board, _, chain = self.provisioned()
        other = self.board()
        foreign = self.authorities.device_chain(other.do("AT+XCSR?"))
        for bad in (foreign, chain[: len(chain) // 2], chain[:-30], chain.replace("BEGIN", "BEGUN"), chain + "x", "",
                    chain.replace("M", "N", 3), chain[:100] + chain[104:]):
            self.assertRegex(board.ask("AT+CONF Certificate=" + core.escape(bad)), "^ERR23 INVALID CERTIFICATE ")
            self.assertEqual(unescaped(board, "Certificate"), chain)
        new = self.install(board)
        self.assertNotEqual(new, chain)
        self.assertEqual(unescaped(board, "Certificate"), new)
        # The key before it is gone: what was made for it does not fit any more.
        self.assertRegex(board.ask("AT+CONF Certificate=" + core.escape(chain)), "^ERR23 ")

    def test_a_pending_key_changes_nothing_until_its_certificate_comes(self):
        board, server, chain = self.provisioned()
        board.do("AT+XKEYGEN")
        first = board.do("AT+XCSR?")
        board.cut()
        board.boot()
        board.do("AT+CONNECT")
        self.assertEqual(server.wait_served().chain, der_of(chain))
        # The signature differs each time, the key in front of it does not.
        self.assertEqual(board.do("AT+XCSR?").split("\n")[2], first.split("\n")[2])
        new = self.authorities.device_chain(first)
        board.set(Certificate=new)
        self.reset(board)
        self.assertEqual(server.wait_served(2).chain, der_of(new))

    def test_a_factory_reset_leaves_nothing(self):
        board, _, _ = self.provisioned()
        self.assertEqual(board.ask("AT+FACTORY_RESET"), "OK")
        board.wait_until_gone()
        self.assertNotIn(b"BEGIN CERTIFICATE", bytes(board.flash))
        board.boot()
        for key in ("Certificate", "Endpoint", "RootCA"):
            self.assertEqual(board.ask("AT+CONF? " + key), "OK")


def unescaped(board, key):
    return board.do("AT+CONF? " + key)


class Connecting(Bench):
    def test_every_version_of_tls_that_it_has(self):
        for version in TLS_VERSIONS:
            board, server, _ = self.provisioned()
            server.tls = (version, version)
            board.do("AT+CONNECT")
            server.wait_served()
            board.cut()

    def test_comes_back_after_every_kind_of_refusal(self):
        board, server, _ = self.provisioned()
        plans = ["close", "refuse", "reset", "close", "serve"]
        server.plan = lambda index, connection: plans[min(index, 4)]
        board.do("AT+CONNECT")
        server.wait_served()
        self.assertEqual({connection.server_name for connection in server.connections if connection.server_name},
                         {NAME_A})
        self.assertIn("before CONNACK", board.expect("+DISCONNECTED"))
        self.assertIn("unrecognized_name (112)", board.expect("+DISCONNECTED"))
        self.assertRegex(board.expect("+RETRY"), r"^\+RETRY \d+$")
        server.drop()
        server.wait_served(2)

    def test_refuses_servers_that_it_must_not_trust(self):
        for name, issuer, reason in ((NAME_B, "root", "ostname mismatch"), (NAME_A, "stranger", "certificate")):
            board, server, _ = self.provisioned()
            server.certificate = self.authorities.server(name, issuer)
            board.do("AT+CONNECT")
            tries = server.wait_tries(2)
            self.assertIn("alert", tries[0].error.lower())
            self.assertIsNone(tries[0].client_id)
            self.assertIn(reason, board.expect("+DISCONNECTED server certificate refused"))
            board.cut()

    def test_answers_while_nobody_answers_it(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            board, _, _ = self.provisioned()
            board.set(Port=silent.getsockname()[1], ConnectTimeoutMs=300)
            board.do("AT+CONNECT")
            board.expect("+CONNECTING")
            started = time.monotonic()
            for _ in range(20):
                self.assertEqual(board.ask("AT"), "OK")
            self.assertLess(time.monotonic() - started, 2.0)
            self.assertIn("timeout: no end of the TLS handshake", board.expect("+DISCONNECTED"))

    def test_asks_for_the_name_when_no_address_is_set(self):
        board, server, _ = self.provisioned(name="localhost")
        board.set(ConnectAddress="")
        board.do("AT+CONNECT")
        self.assertEqual(server.wait_served().server_name, "localhost")
        board.set(Endpoint="no-such-name.invalid")
        self.assertIn("resolve: ", board.expect("+DISCONNECTED resolve"))

    def test_moves_at_once_and_takes_its_leave(self):
        board, server_a, _ = self.provisioned()
        server_b = self.server(NAME_B)
        board.do("AT+CONNECT")
        first = self.served(board, server_a)
        # Both lines at once: one new connection, not one to the new address under the old name.
        board.ask_together("AT+XCONF Port=%d" % server_b.port, "AT+CONF Endpoint=" + NAME_B)
        second = self.served(board, server_b)
        server_a.wait(lambda: first.ended, "the end of the old connection")
        self.assertTrue(first.said_disconnect and first.said_close_notify)
        self.assertEqual((second.server_name, second.chain), (NAME_B, first.chain))
        self.assertEqual(len(server_b.connections), 1)
        for _ in range(3):
            board.set(Endpoint=NAME_A)
            server_b.wait(lambda: server_b.connections[-1].server_name == NAME_A, "the other name")
            board.set(Endpoint=NAME_B)
            board.expect("+CONNECTED " + NAME_B)

    def test_takes_the_longest_name_that_there_is(self):
        board, server, _ = self.provisioned(name=LONG_NAME)
        board.do("AT+CONNECT")
        self.assertEqual(board.expect("+CONNECTED"), "+CONNECTED " + LONG_NAME)
        first = server.wait_served()
        self.assertEqual((first.server_name, cloud.protocols(first.hello)), (LONG_NAME, []))
        self.reset(board)
        self.assertEqual(server.wait_served(2).server_name, LONG_NAME)
        self.assertRegex(board.ask("AT+CONF Endpoint=a" + LONG_NAME), "^ERR4 ")

    def test_disconnect_is_kept_over_a_reset(self):
        board, server, _ = self.provisioned()
        board.do("AT+CONNECT")
        first = self.served(board, server)
        board.do("AT+DISCONNECT")
        server.wait(lambda: first.ended, "the end")
        self.assertTrue(first.said_disconnect)
        self.reset(board)
        self.assertEqual(board.ask("AT+CONNECT?"), "OK 0 DISCONNECTED")
        self.assertEqual(len(server.connections), 1)


class Messages(Bench):
    def test_publishes_and_says_so_once_it_is_acknowledged(self):
        board, server, _ = self.provisioned()
        self.assertRegex(board.ask("AT+SEND1 too early"), "^ERR6 NO CONNECTION")
        board.do("AT+CONNECT")
        connection = self.served(board, server)
        board.do("AT+SEND1 a line\\Aand another")
        board.do("AT+SEND1 " + "z" * 16000)
        self.assertEqual(connection.published[0][:2], ("units/1", b"a line\nand another"))
        self.assertEqual(len(connection.published[1][1]), 16000)

    def test_sends_again_what_was_not_acknowledged(self):
        board, server, _ = self.provisioned()
        server.plan = lambda index, connection: "mute" if index == 0 else "serve"
        board.do("AT+CONNECT")
        first = self.served(board, server)
        board.console.sendall(b"AT+SEND1 kept\n")
        server.wait(lambda: first.published, "a PUBLISH")
        server.drop()
        self.assertRegex(board.read_line(time.monotonic() + 5), r"^(\+DISCONNECTED|ERR6)")
        second = server.wait_served(2)
        server.wait(lambda: second.published, "the PUBLISH again")
        # This server keeps no session: the same message, and no duplicate to it.
        self.assertEqual(second.published[0], first.published[0])

    def test_counts_as_often_as_it_is_told(self):
        board, server, _ = self.provisioned()
        board.set(PublishPeriodMs=20)
        board.do("AT+CONNECT")
        connection = server.wait_served()
        server.wait(lambda: len(connection.published) >= 5, "five messages")
        self.assertEqual([message[1] for message in connection.published[:5]], [b"1", b"2", b"3", b"4", b"5"])

    def test_keeps_alive(self):
        board, server, _ = self.provisioned()
        board.set(KeepAliveS=1, ConnectTimeoutMs=400)
        board.do("AT+CONNECT")
        connection = server.wait_served()
        server.wait(lambda: connection.pings >= 2, "two PINGREQ")
        self.assertEqual(len(server.connections), 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
