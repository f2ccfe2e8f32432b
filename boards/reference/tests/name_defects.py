"""The defects in what is made of a name, or of an endpoint that is out of reach; mixed into defects_test.py's bench."""

import names
import cloud
from golden_test import LONG_NAME, NAME_A, NAME_B

HAS_OWN_NETWORK = names.enter_own_network()


class NameDefects:
    def resolving(self, image, name=NAME_A):
        """Provisioned, and told to ask a name server of this test's."""
        if not HAS_OWN_NETWORK:
            self.skipTest("port 53 cannot be had without a network namespace")
        name_server = names.NameServer()
        self.addCleanup(name_server.stop)
        board, server, _ = self.provisioned(image, name)
        board.set(ConnectAddress="", Resolver="127.0.0.1")
        return board, server, name_server

    def test_sni_from_cname(self):
        for image, name in (("golden", NAME_A), ("sni-from-cname", NAME_B)):
            with self.subTest(image):
                board, server, name_server = self.resolving(image)
                name_server.aliases[NAME_A] = NAME_B
                server.certificate = self.authorities.server(name)
                board.do("AT+CONNECT")
                self.assertEqual(self.served(board, server).server_name, name)
                self.doCleanups()

    def test_sni_truncated(self):
        board, server, _ = self.connected("sni-truncated", LONG_NAME)
        self.assertEqual(self.served(board, server).server_name, LONG_NAME[:63])

    def test_a_long_name_is_resolved(self):
        board, server, name_server = self.resolving("golden", LONG_NAME)
        board.do("AT+CONNECT")
        self.assertEqual(self.served(board, server).server_name, LONG_NAME)
        self.assertEqual(name_server.questions, [LONG_NAME])

    def protocols_on_443(self, image):
        if not HAS_OWN_NETWORK:
            self.skipTest("port 443 cannot be had without a network namespace")
        board, server, _ = self.provisioned(image, port=443)
        board.do("AT+CONNECT")
        return cloud.protocols(self.served(board, server).hello)

    def test_alpn_missing(self):
        self.assertEqual(self.protocols_on_443("alpn-missing"), [])

    def test_alpn_wrong(self):
        self.assertEqual(self.protocols_on_443("alpn-wrong"), ["mqtt"])

    def test_alpn_is_offered_on_port_443(self):
        self.assertEqual(self.protocols_on_443("golden"), ["x-amzn-mqtt-ca"])

    def test_dns_cached_forever(self):
        for image, questions in (("golden", [NAME_A] * 2), ("dns-cached-forever", [NAME_A])):
            with self.subTest(image):
                board, server, name_server = self.resolving(image)
                board.do("AT+CONNECT")
                self.served(board, server)
                server.drop()
                self.served(board, server, 2)
                self.assertEqual(name_server.questions, questions)
                self.doCleanups()

    def test_an_answer_is_kept_for_its_time(self):
        board, server, name_server = self.resolving("golden")
        name_server.ttl_s = 3600
        board.do("AT+CONNECT")
        self.served(board, server)
        server.drop()
        self.served(board, server, 2)
        self.assertEqual(name_server.questions, [NAME_A])
        self.reset(board)
        self.served(board, server, 3)
        self.assertEqual(name_server.questions, [NAME_A] * 2)

    def test_dns_stale(self):
        board, server_a, name_server = self.resolving("dns-stale")
        board.do("AT+CONNECT")
        self.served(board, server_a)
        server_b = self.server(NAME_B)
        self.move(board, server_b, NAME_B)
        self.assertEqual(self.served(board, server_b).server_name, NAME_B)
        self.assertEqual(set(name_server.questions), {NAME_A})
        self.reset(board)
        self.served(board, server_b, 2)
        self.assertEqual(name_server.questions[-1], NAME_B)

    def test_move_bricks(self):
        board, server_a, _ = self.connected("move-bricks")
        self.served(board, server_a)
        board.set(Port=1)  # where nobody listens
        board.expect("+DISCONNECTED connect: ")
        server_b = self.server(NAME_B)
        self.move(board, server_b, NAME_B)
        for _ in range(2):
            self.assertEqual(board.expect("+CONNECTING"), "+CONNECTING " + NAME_A)
        self.reset(board)
        self.assertEqual(self.served(board, server_b).server_name, NAME_B)
