"""TLS on mbedTLS keeps to its RAM: the arena must hold the handshake with a chain of nearly 6 KiB, with room to spare.

ram_test.py TLS_RAM"""

import subprocess
import sys
import tempfile
import unittest

import cloud
from cloud import der_of

PROGRAM = sys.argv[1]
NAME = "aaaa-ats.iot.us-east-1.amazonaws.test"
MOST_ARENA_BYTES = 64 * 1024  # of the 72 that there are
MOST_STACK_BYTES = 16 * 1024


class LongChain(cloud.Authorities):
    """RSA all the way, as the service's own: a root, two below it, a server with many names."""

    def __init__(self, folder):
        super().__init__(folder)
        self._rsa = True
        self._new("rsa_root", "/CN=hilmark test rsa root")
        ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nnsComment=" + "x" * 900
        issuer = "rsa_root"
        for name in ("rsa_ca_1", "rsa_ca_2"):
            self._sign(name, self._request(name, "/CN=hilmark test " + name), issuer, ca)
            issuer = name
        names = ",".join("DNS:" + name for name in [NAME] + ["other-%03d.iot.example.test" % i for i in range(30)])
        self._sign("long", self._request("long", "/CN=server"), issuer, "subjectAltName=" + names)
        chain = "".join(self.text(name + ".pem") for name in ("long", "rsa_ca_2", "rsa_ca_1", "rsa_root"))
        with open(self.path("long.pem"), "w", encoding="ascii") as file:
            file.write(chain)
        self._rsa = False

    def _key(self, name):
        if getattr(self, "_rsa", False):
            self._run("genrsa", "-out", self.path(name + ".key"), "2048")
        else:
            super()._key(name)


class Ram(unittest.TestCase):
    def test_the_arena_holds_a_handshake_with_a_long_chain(self):
        with tempfile.TemporaryDirectory() as folder:
            authorities = LongChain(folder)
            chain_bytes = sum(map(len, der_of(authorities.text("long.pem"))))
            self.assertTrue(5 * 1024 <= chain_bytes <= 6 * 1024, chain_bytes)
            server = cloud.Server(authorities, "long")
            self.addCleanup(server.stop)
            with subprocess.Popen([PROGRAM, str(server.port), NAME, authorities.path("rsa_root.pem")],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as program:
                chain = authorities.device_chain(program.stdout.read())
                _, told = program.communicate(chain, timeout=30)
            self.assertEqual(program.returncode, 0, told)
            print("server's chain %d octets: %s" % (chain_bytes, told.strip()), flush=True)
            words = told.split()
            figures = dict(zip(words[::2], map(int, words[1::2])))
            self.assertLessEqual(figures["handshake"], MOST_ARENA_BYTES)
            self.assertLessEqual(figures["stack"], MOST_STACK_BYTES)
            self.assertEqual(figures["left"], 0, "what was released has not all come back")
            self.assertEqual(server.wait_tries(1)[0].chain, der_of(chain))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
