"""The defects that bring the firmware to a stand, or its console to its limit; mixed into defects_test.py's bench."""

import signal


class StandDefects:
    def test_leak_per_connect(self):
        board, server, _ = self.connected("leak-per-connect")
        for count in range(1, 80):
            self.served(board, server, count)
            # A move, so that no back-off is waited for.
            board.do("AT+DISCONNECT")
            board.do("AT+CONNECT")
        self.served(board, server, 80)
        server.drop()
        board.expect("+DISCONNECTED")
        self.assert_quiet(board, server)
        self.reset(board)
        self.served(board, server, 81)

    def test_lockup_on_fault_during_handshake(self):
        board, server, _ = self.provisioned("lockup-on-fault-during-handshake")
        plans = ["reset", "close", "refuse", "reset", "serve", "reset"]
        server.plan = lambda index, connection: plans[min(index, 5)]
        board.do("AT+CONNECT")
        self.served(board, server)
        server.drop()
        board.expect("+DISCONNECTED")
        board.expect("+DISCONNECTED")
        self.assert_quiet(board, server)

    def assert_hangs(self, board):
        with self.assertRaisesRegex(AssertionError, "said nothing more"):
            board.ask("AT", 0.3)

    def test_hang_at_boot(self):
        self.assert_hangs(self.board("hang-at-boot"))

    def test_hang_when_served(self):
        board, server, _ = self.connected("hang-when-served")
        self.served(board, server)
        self.assert_hangs(board)

    def test_crash_when_served(self):
        board, server, _ = self.connected("crash-when-served")
        server.wait_served()
        board.wait_until_gone()
        self.assertEqual(board.status, -signal.SIGABRT)

    def test_never_connects(self):
        board, server, _ = self.connected("never-connects")
        self.assert_quiet(board, server)
        self.assertEqual(server.connections, [])

    def test_console_flood(self):
        board, server, _ = self.connected("console-flood")
        server.wait_served()  # its own word of it may have found no room
        board.expect("+NOISE")
        self.assertEqual(board.ask("AT"), "OK")
