"""The MIB of alert-to-snmp, read by a real compiler; snmptrapd reads it in the product's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.machine import need
from tests.support.template import TEMPLATE

MIB = TEMPLATE / "templates/alert-to-snmp/mibs/ALERT-TO-SNMP-MIB.txt"
# The standard modules are no part of Debian; of them, the compiler needs only that they define
# these names.
MACROS = {
    "SNMPv2-SMI": ["MODULE-IDENTITY", "OBJECT-TYPE", "NOTIFICATION-TYPE"],
    "SNMPv2-TC": ["TEXTUAL-CONVENTION"],
    "SNMPv2-CONF": ["MODULE-COMPLIANCE", "OBJECT-GROUP", "NOTIFICATION-GROUP"],
}


def complaints(text: str, folder: Path) -> str:
    """What smilint says of the MIB `text`: errors and warnings."""
    compiler = need(shutil.which("smilint"), "smilint (Debian package smitools)")
    for module, macros in MACROS.items():
        defined = "".join(f"{macro} MACRO ::= BEGIN END\n" for macro in macros)
        (folder / module).write_text(f"{module} DEFINITIONS ::= BEGIN\n{defined}END\n", "ascii")
    mib = folder / MIB.name
    mib.write_text(text, encoding="ascii")
    done = subprocess.run(
        # Written from the root on, the OID passes through nodes that it does not define.
        [compiler, "-s", "-l", "6", "-i", "node-implicit", str(mib)],
        env={"PATH": os.defpath, "SMIPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_a_compiler_has_nothing_to_say_of_the_mib(tmp_path: Path) -> None:
    assert complaints(MIB.read_text(encoding="ascii"), tmp_path) == ""


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("{ alertOpened, alertClosed }", "{ alertOpened }", "alertClosed"),
        ("SYNTAX      AlertLongText", "SYNTAX      AlertNoText", "AlertNoText"),
        ("MAX-ACCESS  accessible-for-notify", "MAX-ACCESS  for-nobody", "invalid access"),
        ("FROM SNMPv2-TC\n", "FROM SNMPv2-TX\n", "SNMPv2-TX"),
    ],
)
def test_a_compiler_complains_of_a_mib_that_is_broken(
    good: str, bad: str, complaint: str, tmp_path: Path
) -> None:
    text = MIB.read_text(encoding="ascii")
    assert good in text
    assert complaint in complaints(text.replace(good, bad), tmp_path)
