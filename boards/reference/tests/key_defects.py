"""The defects in keys, requests and installations; mixed into defects_test.py's bench."""

import subprocess

from cloud import der_of
from golden_test import NAME_A


def request_text(pem):
    done = subprocess.run(["openssl", "req", "-noout", "-text", "-verify"], input=pem, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class KeyDefects:
    def requested(self, image):
        """A board, and two requests of it, each for a key made for it."""
        board = self.board(image)
        requests = []
        for _ in range(2):
            board.do("AT+XKEYGEN")
            requests.append(board.do("AT+XCSR?"))
        return board, requests

    def test_csr_bad_signature(self):
        _, requests = self.requested("csr-bad-signature")
        for pem in requests:
            text = request_text(pem)
            self.assertIn("NIST CURVE: P-256", text)
            self.assertNotIn("verify OK", text)

    def test_csr_weak_key(self):
        _, requests = self.requested("csr-weak-key")
        text = request_text(requests[0])
        self.assertIn("P-192", text)
        self.assertIn("verify OK", text)

    def test_csr_sha1(self):
        _, requests = self.requested("csr-sha1")
        text = request_text(requests[0])
        self.assertIn("ecdsa-with-SHA1", text)
        self.assertIn("verify OK", text)
        self.served(*self.connected("csr-sha1")[:2])

    def public_keys(self, requests):
        return [request_text(pem).split("pub:")[1].split("ASN1")[0] for pem in requests]

    def test_key_hardcoded(self):
        keys = {key for _ in range(2) for key in self.public_keys(self.requested("key-hardcoded")[1])}
        self.assertEqual(len(keys), 1)

    def test_key_seed_constant(self):
        first, second = (self.public_keys(self.requested("key-seed-constant")[1]) for _ in range(2))
        self.assertEqual(first, second)
        self.assertNotEqual(first[0], first[1])

    def test_key_on_console(self):
        board = self.board("key-on-console")
        board.do("AT+XKEYGEN")
        self.assertRegex(board.expect("+KEY"), r"^\+KEY [0-9a-f]{64}$")

    def test_key_in_payload(self):
        board, server, _ = self.provisioned("key-in-payload")
        board.set(PublishPeriodMs=20)
        board.do("AT+CONNECT")
        connection = self.served(board, server)
        server.wait(lambda: connection.published, "a publication")
        self.assertRegex(connection.published[0][1], rb"^1 [0-9a-f]{64}$")

    def found_after_cuts(self, image, change, key):
        """What `key` is before the change, and after a power cut at each point of it."""
        board, _, _ = self.provisioned(image)
        before = board.do("AT+CONF? " + key)
        flashes = []
        board.on_change = lambda: flashes.append(bytes(board.flash))
        change(board)
        found = []
        for flash in flashes[:-1]:
            board.on_change = None
            board.cut()
            board.flash[:] = flash
            board.boot()
            found.append(board.do("AT+CONF? " + key))
        return before, found

    def test_install_not_atomic(self):
        def install(board):
            request = self.install(board)
            self.assertTrue(request)

        for image, lost in (("golden", False), ("install-not-atomic", True)):
            before, found = self.found_after_cuts(image, install, "Certificate")
            self.assertTrue(before.startswith("-----BEGIN CERTIFICATE"))
            self.assertEqual("" in found, lost, image)

    def test_move_not_atomic(self):
        for image, lost in (("golden", False), ("move-not-atomic", True)):
            before, found = self.found_after_cuts(image, lambda board: board.set(Endpoint="b.example"), "Endpoint")
            self.assertEqual(before, NAME_A)
            self.assertEqual("" in found, lost, image)

    def test_identity_erased_by_flash(self):
        board, server, _ = self.connected("identity-erased-by-flash")
        self.served(board, server)
        self.assertEqual(board.ask("AT+XBOOT"), "OK")
        board.wait_until_gone()
        board.boot()
        self.assertEqual(board.ask("AT+CONF? Certificate"), "OK")
        self.assertEqual(board.ask("AT+CONF? Endpoint"), "OK " + NAME_A)

    def test_install_accepts_anything(self):
        board, server, _ = self.connected("install-accepts-anything")
        self.served(board, server)
        self.assertEqual(board.ask("AT+CONF Certificate=anything"), "OK")
        self.assertEqual(board.ask("AT+CONF? Certificate"), "OK anything")

    def test_cert_stale(self):
        board, server, chain = self.connected("cert-stale")
        self.served(board, server)
        new_chain = self.install(board)
        server.drop()
        self.assertEqual(self.served(board, server, 2).chain, der_of(chain))
        self.reset(board)
        self.assertEqual(self.served(board, server, 3).chain, der_of(new_chain))
