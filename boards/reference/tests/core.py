"""A board around the native core, as boards/wire.md has it: console, bus, flash and ROM, and nothing more."""

import os
import select
import signal
import socket
import struct
import threading
import time

KIB = 1024
# Bytes of flash, the offset of those that are the firmware's, and how many of these are erased at once.
FLASHES = {"stm32h7": (2048 * KIB, 1536 * KIB, 128 * KIB), "stm32f4": (1024 * KIB, 768 * KIB, 128 * KIB),
           "rp2040": (2048 * KIB, 1536 * KIB, 4 * KIB)}
READ, ERASE, PROGRAM, RESET, ENTER_BOOTLOADER = range(1, 6)
EFAULT = 14
DEADLINE_S = 10.0


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\A").replace("\r", "\\D")


def unescape(text):
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
            out.append({"A": "\n", "D": "\r", "\\": "\\"}[text[at]])
        else:
            out.append(text[at])
        at += 1
    return "".join(out)


def memory_file(name, content):
    descriptor = os.memfd_create(name, 0)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def chip_of(image_path):
    with open(image_path, "rb") as file:
        return file.read(48)[24:].rstrip(b"\0").decode()


class Board:
    """Flash outlives the core, as on a board. `start` boots, `cut` is a power cut."""

    def __init__(self, image_path):
        with open(image_path, "rb") as file:
            self.image = file.read()
        self.header_bytes, self.code_bytes = struct.unpack_from("<II", self.image, 8)
        self.build_id = self.image[48:88].decode()
        self.flash_bytes, self.owned_from, self.sector_bytes = FLASHES[chip_of(image_path)]
        self.flash = bytearray(b"\xff" * self.flash_bytes)
        self.erases = 0
        self.programs = 0
        self.left = None  # the operation by which the core left, if it did
        self.pid = None
        self.status = None  # of the last life
        self.lines = []  # unasked
        self.text = b""
        self.errors = []
        self.on_change = None  # called after each change of the flash

    # Power

    def start(self):
        code = memory_file("code", self.image[self.header_bytes : self.header_bytes + self.code_bytes])
        rom = memory_file("rom", self.image)
        self.console, console = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.bus, bus = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open("/dev/null", os.O_RDWR)
        self.text, self.left = b"", None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                # Out of the way of 0 to 5 first, so that no dup2 steps on what comes next.
                wanted = (code, rom, console.fileno(), bus.fileno(), null)
                high = [os.dup2(fd, 100 + i, False) for i, fd in enumerate(wanted)]
                for target, source in ((0, 104), (1, 104), (3, 102), (4, 103), (5, 101)):
                    os.dup2(source, target, True)
                os.closerange(6, 100)
                os.closerange(101, 200)
                os.chdir("/")
                os.set_inheritable(high[0], False)
                os.execve(high[0], ["core"], {"PATH": "/usr/bin:/bin"})
            finally:
                os._exit(127)
        for closed in (console, bus):
            closed.close()
        for closed in (code, rom, null):
            os.close(closed)
        self.thread = threading.Thread(target=self._serve_bus, args=(self.bus, self.pid))
        self.thread.start()
        return self

    def cut(self):
        if self.pid is None:
            return
        os.kill(self.pid, signal.SIGKILL)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.thread.join()
        self.console.close()
        self.bus.close()
        self.pid = None

    def boot(self):
        self.start()
        return self.expect("+BOOT ")

    # The bus

    def _serve_bus(self, bus, pid):
        while True:
            try:
                request = bus.recv(16384)
            except OSError:
                return
            if not request:
                return
            operation, address, length = struct.unpack_from("<III", request)
            if operation in (RESET, ENTER_BOOTLOADER):
                self.left = operation
                os.kill(pid, signal.SIGKILL)
                return
            try:
                bus.send(self._answer(operation, address, length, request[12:]))
            except OSError:
                return

    def _answer(self, operation, address, length, data):
        fault = struct.pack("<i", -EFAULT)
        if length > 4096 or address + length > self.flash_bytes:
            return fault
        if operation == READ:
            return struct.pack("<i", 0) + bytes(self.flash[address : address + length])
        if address < self.owned_from:
            return fault
        if operation == ERASE:
            if address % self.sector_bytes != 0:
                return fault
            self.erases += 1
            self.flash[address : address + self.sector_bytes] = b"\xff" * self.sector_bytes
        elif operation == PROGRAM:
            self.programs += 1
            if any(byte != 0xFF for byte in self.flash[address : address + length]):
                self.errors.append("programmed twice at %#x" % address)
            for i, byte in enumerate(data[:length]):
                self.flash[address + i] &= byte
        if operation in (ERASE, PROGRAM) and self.on_change:
            self.on_change()
        return struct.pack("<i", 0)

    # The console

    def read_line(self, deadline):
        while b"\n" not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.console], [], [], left)[0]:
                raise AssertionError("the core said nothing more; before that: %r" % self.lines[-8:])
            try:
                received = self.console.recv(65536)
            except ConnectionResetError:
                received = b""
            if not received:
                raise EOFError("the core is gone")
            self.text += received
        line, self.text = self.text.split(b"\n", 1)
        return line.decode()

    def expect(self, opening, seconds=DEADLINE_S):
        """The next unasked line that begins so; those before it are dropped."""
        deadline = time.monotonic() + seconds
        while True:
            line = self.lines.pop(0) if self.lines else self.read_line(deadline)
            if line.startswith(opening):
                return line

    def ask_raw(self, octets, seconds=DEADLINE_S):
        self.console.sendall(octets + b"\n")
        deadline = time.monotonic() + seconds
        while True:
            line = self.read_line(deadline)
            if not line.startswith("+"):
                return line
            self.lines.append(line)

    def ask(self, command, seconds=DEADLINE_S):
        return self.ask_raw(command.encode(), seconds)

    def ask_together(self, *commands):
        """Several lines in one write; all must be answered OK."""
        self.console.sendall("".join(command + "\n" for command in commands).encode())
        for command in commands:
            deadline = time.monotonic() + DEADLINE_S
            while (line := self.read_line(deadline)).startswith("+"):
                self.lines.append(line)
            if line != "OK":
                raise AssertionError("%s: %s" % (command, line))

    def do(self, command):
        """The value of an answer that must be OK."""
        answer = self.ask(command)
        if answer != "OK" and not answer.startswith("OK "):
            raise AssertionError("%s: %s" % (command[:60], answer))
        return unescape(answer[3:])

    def set(self, **values):
        extended = ("ConnectAddress", "Resolver", "Port", "KeepAliveS", "BackoffBaseMs", "BackoffCapMs", "ConnectTimeoutMs",
                    "PublishPeriodMs")
        for key, value in values.items():
            self.do("AT+%s %s=%s" % ("XCONF" if key in extended else "CONF", key, escape(str(value))))

    def wait_until_gone(self, seconds=DEADLINE_S):
        """After a reset: reads to the end, then takes the process away."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.read_line(deadline)
        except EOFError:
            self.cut()
