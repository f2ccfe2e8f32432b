#!/usr/bin/env python3
"""Holds the documents to the programs: what one names the other has, both ways. Usage: check_drift.py HILMARK [DOCUMENTS]

HILMARK: the built program. DOCUMENTS: the folder whose README.md and docs/ are judged (the project's own)."""

import pathlib
import re
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parent.parent


def source(path, pattern):
    """What a pattern finds in a source file of the project."""
    return set(re.findall(pattern, (PROJECT / path).read_text(), re.M))


def first_cells(text, section):
    """The first cell of each row of the tables in a section (without a name: in all), less the heads."""
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [row.split("|")[1] for row in text.splitlines() if row.startswith("| ") and not row.startswith("| name")]


def in_table(documents, path, section, pattern):
    return {name for cell in first_cells((documents / path).read_text(), section) for name in re.findall(pattern, cell)}


def commands_of_rig():
    cases = (PROJECT / "rig").read_text().partition('case "$command" in\n')[2].partition("\nesac")[0]
    return set(re.findall(r"^  ([a-z]+)\)", cases, re.M))


def commands_in_usage():
    usage = (PROJECT / "rig").read_text().partition("usage: ./rig COMMAND\n")[2].partition("\nTEXT")[0]
    return set(re.findall(r"^  ([a-z]+)\b", usage, re.M))


def options_of_run(hilmark):
    told = subprocess.run([hilmark, "run", "--help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", told, re.M)) - {"--help"}


def subjects(hilmark, documents):
    """(document, what it tells, program, what it has)"""
    readme = (documents / "README.md").read_text()
    yield "README.md", set(re.findall(r"\./rig ([a-z]+)", readme)), "./rig", commands_of_rig()
    yield "./rig --help", commands_in_usage(), "./rig", commands_of_rig()
    yield ("docs/running.md", in_table(documents, "docs/running.md", "Options of `hilmark run`", r"--[a-z-]+"),
           "hilmark run --help", options_of_run(hilmark))
    yield ("docs/device_files.md", in_table(documents, "docs/device_files.md", "Capabilities", r"`([a-z0-9-]+)`"),
           "drivers/unit/unit.cpp", source("drivers/unit/unit.cpp", r'\{Capability::\w+, "([a-z0-9-]+)"\}'))
    yield ("docs/device_files.md", in_table(documents, "docs/device_files.md", "Timing", r"`([a-z_]+)`"),
           "harness/inventory/board_file.cpp", source("harness/inventory/board_file.cpp", r'mapping->integer\("(\w+_m?s)"'))
    yield ("docs/command_files.md", in_table(documents, "docs/command_files.md", "", r"`([a-z_]+)`"),
           "drivers/console/command_set.cpp", source("drivers/console/command_set.cpp", r'^      \{"(\w+)", \{'))


def dead_links(documents):
    for page in [documents / "README.md", *sorted((documents / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(documents)} links to {target}, which is not there"


def complaints(hilmark, documents):
    for document, told, program, has in subjects(hilmark, documents):
        if not has:
            yield f"nothing was found in {program}; teach tools/check_drift.py how it is written now"
        yield from (f"{document} does not tell {name}, which {program} has" for name in sorted(has - told))
        yield from (f"{document} tells {name}, which {program} has not" for name in sorted(told - has))
    yield from dead_links(documents)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    found = list(complaints(sys.argv[1], pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else PROJECT)))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
