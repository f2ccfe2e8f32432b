"""A name server at 127.0.0.1:53, in a network namespace of this process's own."""

import ctypes
import fcntl
import os
import socket
import struct
import threading

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
A, CNAME, IN = 1, 5, 1


def enter_own_network():
    """False where the kernel makes no namespaces for us. To be called before there are threads."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % uid), ("gid_map", "0 %d 1" % gid)):
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(text)
    elif libc.unshare(CLONE_NEWNET) != 0:  # root in a chroot
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    return True


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class NameServer:
    """Every name leads to 127.0.0.1; those in `aliases` by a CNAME."""

    def __init__(self):
        self.questions = []
        self.aliases = {}
        self.ttl_s = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.socket.sendto(b"", ("127.0.0.1", 53))
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            if not question:
                return
            self.socket.sendto(self._answer(question), peer)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels)
        self.questions.append(name)
        records, owner = [], b"\xc0\x0c"
        if name in self.aliases:
            target = wire_name(self.aliases[name])
            records.append(owner + struct.pack(">HHIH", CNAME, IN, self.ttl_s, len(target)) + target)
            owner = target
        records.append(owner + struct.pack(">HHIH", A, IN, self.ttl_s, 4) + socket.inet_aton("127.0.0.1"))
        return question[:2] + struct.pack(">HHHHH", 0x8580, 1, len(records), 0, 0) + question[12 : at + 5] + b"".join(records)
