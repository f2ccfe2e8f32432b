#!/usr/bin/env python3
"""A program that has a board's console as its serial port, as pyserial has it: it knows nothing of the lab.

usage: tty_client.py where          node, device number, whether it is a terminal, USB interface, serial number, driver
       tty_client.py echo LINES     sends so many echo commands, each after the answer to the one before
       tty_client.py unplug         says "pending", reads until the line hangs up, and writes then
"""

import errno
import fcntl
import glob
import os
import select
import sys
import termios
import tty

PATIENCE_MS = 10_000


def open_first():
    """As pyserial: raw, 8N1, exclusively."""
    node = sorted(glob.glob("/dev/ttyACM*"))[0]
    fd = os.open(node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    tty.setraw(fd)
    fcntl.ioctl(fd, termios.TIOCEXCL)
    return node, fd


def ready(fd):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    found = poll.poll(PATIENCE_MS)
    assert found, "nothing came"
    return found[0][1]


def read_until(fd, wanted):
    came = b""
    while wanted not in came:
        ready(fd)
        came += os.read(fd, 4096)
    return came


def where():
    node, fd = open_first()
    name = os.path.basename(node)
    about = os.stat(node)
    interface = os.path.realpath(f"/sys/class/tty/{name}/device")
    with open(os.path.join(os.path.dirname(interface), "serial")) as file:
        serial = file.read().strip()
    driver = os.path.basename(os.readlink(os.path.join(interface, "driver")))
    print(node, f"{os.major(about.st_rdev)}:{os.minor(about.st_rdev)}", os.isatty(fd), os.path.basename(interface), serial,
          driver)


def echo(lines):
    _, fd = open_first()
    for line in range(lines):
        os.write(fd, f"echo line {line}.\n".encode())
        read_until(fd, f"line {line}.\n".encode())
    print(lines, "lines came back")


def unplug():
    _, fd = open_first()
    os.write(fd, b"echo there\n")
    read_until(fd, b"there\n")
    print("pending", flush=True)
    assert ready(fd) & select.POLLHUP
    try:
        assert os.read(fd, 1) == b""
    except OSError as error:
        assert error.errno == errno.EIO
    try:
        os.write(fd, b"x")
    except OSError as error:
        print("hung-up,", errno.errorcode[error.errno])


if __name__ == "__main__":
    {"where": where, "echo": lambda: echo(int(sys.argv[2])), "unplug": unplug}[sys.argv[1]]()
