"""Each defect image does what its sentence says, and is served where the defect does not forbid it.

defects_test.py IMAGES [TEST...]"""

import os
import sys
import threading
import unittest

import cloud
import core
from cloud import der_of
from connection_defects import ConnectionDefects
from golden_test import IMAGES, NAME_A, NAME_B, TLS_VERSIONS, Bench
from key_defects import KeyDefects
from name_defects import NameDefects
from stand_defects import StandDefects


class Defects(ConnectionDefects, KeyDefects, NameDefects, StandDefects, Bench):
    def connected(self, image, name=NAME_A):
        board, server, chain = self.provisioned(image, name)
        self.assertEqual(board.ask("AT+XDEFECT?"), "OK " + image)
        board.do("AT+CONNECT")
        return board, server, chain

    def move(self, board, server, name):
        board.ask_together("AT+XCONF Port=%d" % server.port, "AT+CONF Endpoint=" + name)

    def wait_for_flash(self, board, text):
        """Until the flash holds it."""
        found = threading.Event()

        def look():
            if text.encode() in board.flash:
                found.set()

        board.on_change = look
        look()
        self.assertTrue(found.wait(core.DEADLINE_S), "%s is not in its flash" % text)
        board.on_change = None

    def assert_quiet(self, board, server):
        """No attempt is under way or to come: the state machine rests, so nothing more is to be waited for."""
        self.assertEqual(board.ask("AT"), "OK")
        self.assertFalse([line for line in board.lines if line.startswith("+RETRY")])
        count = len(server.connections)
        self.assertEqual(board.ask("AT+CONNECT"), "OK")
        self.assertEqual(board.ask("AT"), "OK")
        self.assertEqual(len(server.connections), count)
        board.lines.clear()

    def test_every_image_is_tried_here(self):
        images = {name[:-4] for name in os.listdir(IMAGES) if name.endswith(".img")} - {"golden"}
        tests = {name[5:].replace("_", "-") for name in dir(self) if name.startswith("test_")}
        self.assertEqual(images - tests, set())

    def test_no_sni(self):
        board, server, chain = self.connected("no-sni")
        connection = self.served(board, server)
        self.assertEqual(cloud.server_names(connection.hello), [])
        self.assertEqual(connection.chain, der_of(chain))

    def test_sni_empty(self):
        board, server, _ = self.connected("sni-empty")
        for connection in server.wait_tries(2)[:2]:
            self.assertEqual(cloud.server_names(connection.hello), [b"\0\3\0\0\0"])
            self.assertIsNone(connection.client_id)
        board.expect("+DISCONNECTED")

    def test_sni_ip_literal(self):
        board, server, _ = self.connected("sni-ip-literal")
        self.assertEqual(cloud.server_names(self.served(board, server).hello), [b"\x00\x0c\x00\x00\x09127.0.0.1"])

    def test_sni_first_only(self):
        board, server, _ = self.connected("sni-first-only")
        self.assertEqual(self.served(board, server, 1).server_name, NAME_A)
        server.drop()
        self.assertIsNone(self.served(board, server, 2).server_name)
        self.reset(board)
        self.assertEqual(self.served(board, server, 3).server_name, NAME_A)

    def test_sni_stale(self):
        board, server_a, _ = self.connected("sni-stale")
        self.served(board, server_a)
        server_b = self.server(NAME_A)
        self.move(board, server_b, NAME_B)
        self.assertEqual(self.served(board, server_b).server_name, NAME_A)
        server_b.certificate = self.authorities.server(NAME_B)
        self.reset(board)
        self.assertEqual(self.served(board, server_b, 2).server_name, NAME_B)

    def test_give_up_after_refusal(self):
        board, server, _ = self.provisioned("give-up-after-refusal")
        plans = ["close", "refuse", "serve", "close", "close", "refuse"]
        server.plan = lambda index, connection: plans[index] if index < len(plans) else "serve"
        board.do("AT+CONNECT")
        self.served(board, server)
        server.drop()
        for _ in range(4):
            board.expect("+DISCONNECTED")
        self.assert_quiet(board, server)
        self.assertEqual(len(server.connections), 6)
        self.reset(board)
        self.served(board, server, 2)

    def test_chain_misordered(self):
        board, server, chain = self.connected("chain-misordered")
        leaf, intermediate, root = der_of(chain)
        self.assertEqual(self.served(board, server).chain, [leaf, root, intermediate])

    def test_wrong_key(self):
        for version in TLS_VERSIONS:
            board, server, _ = self.provisioned("wrong-key")
            server.tls = (version, version)
            board.do("AT+CONNECT")
            self.assertIn("signature", server.wait_tries(2)[0].error)
            self.assertIn("decrypt_error", board.expect("+DISCONNECTED"))
            board.cut()

    def test_no_reconnect(self):
        board, server, _ = self.connected("no-reconnect")
        self.served(board, server)
        server_b = self.server(NAME_B)
        self.move(board, server_b, NAME_B)  # that is no end by the server: it follows
        self.served(board, server_b)
        server_b.drop()
        board.expect("+DISCONNECTED closed by the server")
        self.assert_quiet(board, server_b)
        self.reset(board)
        self.served(board, server_b, 2)

    def test_identity_in_ram(self):
        board, server, chain = self.connected("identity-in-ram")
        self.assertEqual(self.served(board, server).chain, der_of(chain))
        self.assertNotIn(b"aaaa-ats", bytes(board.flash))
        for reset in (lambda: self.reset(board), lambda: (board.cut(), board.boot())):
            reset()
            self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK")
            self.assertEqual(board.ask("AT+CONF? Certificate"), "OK")
            self.assertEqual(board.ask("AT+CONF? ThingName"), "OK unit-1")
            self.provision(board, server)
            board.expect("+CONNECTED")

    def test_stores_late(self):
        board, server, _ = self.connected("stores-late")
        self.served(board, server)
        self.wait_for_flash(board, NAME_A)
        for stored, expected in ((False, NAME_A), (True, NAME_B)):
            board.set(Endpoint=NAME_B)
            self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + NAME_B)
            if stored:
                self.wait_for_flash(board, NAME_B)
            board.cut()
            board.boot()
            self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + expected)
        board.set(Endpoint=NAME_A)
        self.reset(board)
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + NAME_A, "a reset that it is told loses nothing")

    def test_reprovision_on_move(self):
        board, server_a, chain = self.connected("reprovision-on-move")
        self.served(board, server_a)
        server_b = self.server(NAME_B)
        self.move(board, server_b, NAME_B)
        server_b.wait(lambda: [c for c in server_b.connections if c.server_name == NAME_B and c.ended], "an attempt")
        attempt = [c for c in server_b.connections if c.server_name == NAME_B][0]
        self.assertIn("self-signed", attempt.error)
        self.assertNotEqual(board.do("AT+CONF? Certificate"), chain)

    def test_moves_once_only(self):
        board, server_a, _ = self.connected("moves-once-only")
        self.served(board, server_a)
        server_b = self.server(NAME_B)
        self.move(board, server_b, NAME_B)
        second = self.served(board, server_b)
        board.set(Endpoint=NAME_A)
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + NAME_A)
        self.assertEqual(board.ask("AT+CONNECT?"), "OK 1 CONNECTED")
        self.assertFalse(second.ended)
        server_b.drop()
        self.assertEqual(self.served(board, server_b, 2).server_name, NAME_B)
        server_b.certificate = self.authorities.server(NAME_A)
        self.reset(board)
        self.assertEqual(self.served(board, server_b, 3).server_name, NAME_A)

    def test_no_hostname_check(self):
        board, server, _ = self.provisioned("no-hostname-check")
        server.certificate = self.authorities.server(NAME_A, "stranger")
        board.do("AT+CONNECT")
        self.assertIsNone(server.wait_tries(2)[0].client_id)
        server.certificate = self.authorities.server(NAME_B)
        self.assertEqual(self.served(board, server).server_name, NAME_A)

    def test_no_verify(self):
        board, server, _ = self.provisioned("no-verify")
        server.certificate = self.authorities.server(NAME_B, "stranger")
        board.do("AT+CONNECT")
        self.assertEqual(self.served(board, server).server_name, NAME_A)

    def test_mqtt_malformed(self):
        _, server, _ = self.connected("mqtt-malformed")
        attempt = server.wait_tries(2)[0]
        self.assertEqual((attempt.connect_flags, attempt.client_id, attempt.served), (1, "unit-1", False))

    def test_dead_on_arrival(self):
        board, server, _ = self.connected("dead-on-arrival")
        self.assertEqual([attempt.hello for attempt in server.wait_tries(3)[:3]], [b""] * 3)
        self.assertRegex(board.expect("+RETRY"), r"^\+RETRY \d+$")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
