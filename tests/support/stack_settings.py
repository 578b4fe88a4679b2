"""The settings that the Terraform stacks declare, as their files have them."""

from __future__ import annotations

import re

from tests.support.template import PRODUCT


def stack_file(stack: str, name: str) -> str:
    """The text of a stack's file; the platform's folder has a condition in its name."""
    (path,) = (PRODUCT / "terraform").glob(f"*{stack}*/{name}")
    return path.read_text(encoding="utf-8")


def setting(stack: str, path: str) -> str:
    """The default of a variable's attribute, such as `pool.name` of the platform, as it is written.

    KeyError when there is no such attribute or it has no default.
    """
    default = re.match(r'optional\(\w+, "?([^")]+)"?\)', declaration(stack, path))
    if not default:
        raise KeyError(path)
    return default[1]


def declaration(stack: str, path: str) -> str:
    """The file from where the attribute's type is declared; KeyError when it is not."""
    variable, *attributes = path.split(".")
    block = re.search(
        rf'^variable "{variable}" {{\n(.*?)^}}',
        stack_file(stack, "variables.tf"),
        re.MULTILINE | re.DOTALL,
    )
    text = block[1] if block else ""
    for attribute in attributes:
        declared = re.search(rf"^ +{attribute} += ", text, re.MULTILINE)
        text = text[declared.end() :] if declared else ""
    if not text:
        raise KeyError(path)
    return text
