#!/usr/bin/env python3
"""Wraps an executable into a firmware image as boards/wire.md says. Written from that page, sharing no code.

usage: wrap_image.py ELF IMAGE [CHIP] [DEFECT]"""

import hashlib
import struct
import sys
import zlib


def wrap(code, chip="stm32h7", defect="golden"):
    trailer = b"HMTRAIL1" + defect.encode().ljust(48, b"\0") + bytes(8)
    body = code + trailer
    header = b"HMIMAGE1" + struct.pack("<IIII", 96, len(code), len(trailer), zlib.crc32(body))
    header += chip.encode().ljust(24, b"\0")
    header += hashlib.sha256(body).hexdigest()[:40].encode()
    header += struct.pack("<II", zlib.crc32(header), 0)
    return header + body


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as elf:
        image = wrap(elf.read(), *sys.argv[3:])
    with open(sys.argv[2], "wb") as out:
        out.write(image)
