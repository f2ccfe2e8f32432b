"""The defects in the name that is sent, the chain, the waits and the moves; mixed into defects_test.py's bench."""

import struct

import cloud
from golden_test import NAME_A, NAME_B, der_of


def host_names(hello):
    """The host names of the only server_name extension of a ClientHello record."""
    (body,) = cloud.server_names(hello)
    at, found = 2, []
    while at < len(body):
        length = struct.unpack_from(">H", body, at + 1)[0]
        found.append(body[at + 3 : at + 3 + length].decode())
        at += 3 + length
    return found


class ConnectionDefects:
    def test_sni_two_names(self):
        _, server, _ = self.connected("sni-two-names")
        names = host_names(server.wait_tries(2)[0].hello)
        self.assertEqual((names[0], len(names)), (NAME_A, 2))

    def test_sni_trailing_dot(self):
        _, server, _ = self.connected("sni-trailing-dot")
        server.wait(lambda: server.connections and server.connections[0].hello, "a ClientHello")
        self.assertEqual(host_names(server.connections[0].hello), [NAME_A + "."])

    def test_sni_with_port(self):
        board, server, _ = self.connected("sni-with-port")
        self.assertEqual(host_names(self.served(board, server).hello), [NAME_A + ":8883"])

    def test_client_cert_missing(self):
        board, server, _ = self.connected("client-cert-missing")
        self.assertIn("did not return a certificate", server.wait_tries(2)[0].error)
        board.expect("+DISCONNECTED")

    def test_chain_foreign(self):
        board, server, chain = self.connected("chain-foreign")
        self.assertIn("unable to get local issuer certificate", server.wait_tries(2)[0].error)
        server.trusts = ("device_root", "device_ca")
        leaf = der_of(chain)[0]
        anchor = der_of(self.authorities.text("root.pem"))[0]
        self.assertEqual(self.served(board, server).chain, [leaf, anchor])

    def test_reconnect_storm(self):
        board, server, _ = self.provisioned("reconnect-storm")
        server.plan = lambda index, connection: "close" if index < 5 else "serve"
        board.do("AT+CONNECT")
        for _ in range(5):
            self.assertEqual(board.expect("+RETRY"), "+RETRY 0")
        self.served(board, server)

    def test_identity_erased_on_refusal(self):
        board, server, _ = self.provisioned("identity-erased-on-refusal")
        plans = ["refuse", "serve", "revoked"]
        server.plan = lambda index, connection: plans[min(index, 2)]
        board.do("AT+CONNECT")
        self.served(board, server)  # another alert is none of it
        server.drop()
        board.expect("+DISCONNECTED")
        board.expect("+DISCONNECTED Certificate is not set")
        self.assertEqual(board.ask("AT+CONF? Certificate"), "OK")
        self.reset(board)
        self.assertEqual(board.ask("AT+CONF? Certificate"), "OK")
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + NAME_A)

    def test_endpoint_table_full(self):
        board, server, _ = self.connected("endpoint-table-full")
        self.served(board, server)
        names = ["n%d-%s" % (i, NAME_B) for i in range(2, 10)]
        for count, name in enumerate(names[:7], 2):
            server.certificate = self.authorities.server(name)
            self.move(board, server, name)
            self.assertEqual(self.served(board, server, count).server_name, name)
        eighth = server.served()[-1]
        board.set(Endpoint=names[7])
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + names[7])
        self.assertEqual(board.ask("AT+CONNECT?"), "OK 1 CONNECTED")
        self.assertFalse(eighth.ended)
        server.certificate = self.authorities.server(names[7])
        self.reset(board)
        self.assertEqual(self.served(board, server, 9).server_name, names[7])

    def test_backoff_survives_move(self):
        for image, survives in (("backoff-survives-move", True), ("golden", False)):
            board, server_a, _ = self.provisioned(image)
            server_a.plan = lambda index, connection: "close"
            board.set(BackoffBaseMs=4, BackoffCapMs=200)
            board.do("AT+CONNECT")
            while int(board.expect("+RETRY").split()[1]) < 50:
                pass
            server_b = self.server(NAME_B)
            server_b.plan = lambda index, connection: "close"
            self.move(board, server_b, NAME_B)
            board.lines.clear()
            board.expect("+CONNECTING " + NAME_B)
            self.assertEqual(int(board.expect("+RETRY").split()[1]) > 4, survives)
            board.cut()

    def moved(self, image):
        """Served by a server that goes by both names, at the second."""
        board, server, _ = self.connected(image)
        self.served(board, server)
        server.certificate = self.authorities.server(NAME_B)
        board.set(Endpoint=NAME_B)
        self.assertEqual(self.served(board, server, 2).server_name, NAME_B)
        return board, server

    def test_old_connection_leaked(self):
        for image, leaks in (("old-connection-leaked", True), ("golden", False)):
            board, server = self.moved(image)
            first = server.connections[0]
            if leaks:
                self.assertFalse(first.ended)
            else:
                server.wait(lambda c=first: c.ended, "the end of the old connection")
            board.cut()

    def test_endpoint_in_ram(self):
        board, server = self.moved("endpoint-in-ram")
        self.assertNotIn(NAME_B.encode(), bytes(board.flash))
        server.certificate = self.authorities.server(NAME_A)
        self.reset(board)
        self.assertEqual(self.served(board, server, 3).server_name, NAME_A)
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + NAME_A)

    def test_endpoint_falls_back(self):
        board, server = self.moved("endpoint-falls-back")
        self.assertIn(NAME_B.encode(), bytes(board.flash))
        count = len(server.connections)
        self.reset(board)
        self.assertEqual(self.served(board, server, 3).server_name, NAME_B)
        self.assertEqual(server.connections[count].server_name, NAME_A)

    def counting(self, image):
        """As moved(), and it has published a count at either name."""
        board, server, _ = self.provisioned(image)
        board.set(PublishPeriodMs=20)
        board.do("AT+CONNECT")
        first = self.served(board, server)
        server.wait(lambda: len(first.published) >= 4, "four counts")
        server.certificate = self.authorities.server(NAME_B)
        board.set(Endpoint=NAME_B)
        second = self.served(board, server, 2)
        self.assertEqual(second.server_name, NAME_B)
        server.wait(lambda: second.published, "a count at the new name")
        return board, server, first, second

    def test_publishes_to_old_account(self):
        board, server, _, second = self.counting("publishes-to-old-account")
        server.wait(lambda: server.connections[-1].server_name == NAME_A and server.connections[-1].ended, "a detour")
        server.certificate = self.authorities.server(NAME_A)
        detour = self.served(board, server, 3)
        self.assertEqual(detour.server_name, NAME_A)
        server.wait(lambda: detour.published, "a count at the old name")
        self.assertEqual([int(each[1]) for each in [*second.published[-3:], detour.published[0]]],
                         list(range(int(detour.published[0][1]) - 3, int(detour.published[0][1]) + 1)))
        server.wait(lambda: server.connections[-1].server_name == NAME_B, "its return")

    def test_replays_acknowledged(self):
        _, _, first, second = self.counting("replays-acknowledged")
        self.assertEqual(second.published[0][1], first.published[-3][1])
