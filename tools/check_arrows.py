#!/usr/bin/env python3
"""Holds includes to the order of the rooms: arrows point down only. Usage: check_arrows.py [FOLDER]"""

import pathlib
import re
import sys

# room -> the rooms that it may include, besides itself
MAY_INCLUDE = {
    "harness/base": [],
    "drivers": ["harness/base"],
    "fixtures": ["harness/base"],
    "reports": ["harness/base"],
    "suites": ["drivers", "fixtures", "reports", "harness/base"],
    "harness": ["suites", "drivers", "fixtures", "reports", "harness/base"],
    "boards/reference": [],  # shares nothing with the rig but the wire
    "boards/process": [],  # the same
    "boards/virtual": [],
    "bench": ["harness", "suites", "drivers", "fixtures", "reports", "harness/base"],
}
# Only suites/ speaks GoogleTest outside of unit tests.
GOOGLETEST = re.compile(r'#\s*include\s*<(gtest|gmock)/')
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
SOURCES = {".c", ".cpp", ".h"}


def room_of(path):
    """The longest room that the path lies in, or None."""
    rooms = [room for room in MAY_INCLUDE if path == room or path.startswith(room + "/")]
    return max(rooms, key=len) if rooms else None


def complaints(root):
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        room = room_of(name)
        if file.suffix not in SOURCES or room is None or name.startswith("build/"):
            continue
        text = file.read_text(errors="replace")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            target = room_of(match.group(1))
            if target is None or target == room or target in MAY_INCLUDE[room]:
                continue
            allowed = ", ".join(MAY_INCLUDE[room]) or "nothing"
            yield f"{name}:{line}: {room} includes {match.group(1)}; it may include {allowed}"
        is_test = file.stem.endswith(("_test", "_fuzz", "_bench")) or "/tests/" in name or "testing" in file.stem
        if room != "suites" and not is_test:
            for match in GOOGLETEST.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: GoogleTest outside of suites/ and unit tests"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = list(complaints(root))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
