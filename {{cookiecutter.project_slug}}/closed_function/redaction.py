"""Make text from outside presentable: of other programs, of an API, of a log.

No part of it looks like a line of ours, and it holds no credential and no character that a terminal
would act on.
"""

import re

# Tokens by their form or name, keys, and logins in URLs.
CREDENTIAL = re.compile(
    r"ya29[.%][\w.%-]+|eyJ[\w-]+\.[\w.-]+|1//[\w-]{10,}|GOCSPX-\S+|AIza[\w-]{30,}"
    r"|(?i:\b(?:bearer|basic)(?:\s|%20)+[\w.~+/=-]+)"
    r"|(?i:\b(?:access_token|refresh_token|id_token|client_secret|password)\b[\"'\s]*[:=][\"'\s]*[^\s\"'&]+)"
    r"|(?<=://)\S*@"
    r"|(?s:-----BEGIN.*?(?:-----END[^\n]*|\Z))"
)
LONGEST_OUTPUT = 2000  # characters


def redact(text: str, limit: int = LONGEST_OUTPUT) -> str:
    """Return the lines of `text` without what cannot be printed, and not more than a screen."""
    # First, because a character that is not seen can divide a credential.
    text = CREDENTIAL.sub("[hidden]", "\n".join(map(printable, text.splitlines()))).strip()
    if len(text) > limit:
        text = text[:limit] + f"\n[... {len(text) - limit} characters more]"
    return text


def printable(line: str) -> str:
    """Return `line` without controls and direction marks, and with plain spaces."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in line)


def one_line(text: str) -> str:
    """Return `text` as part of a line of ours."""
    return " ".join(redact(text).split())


def quote(text: str, limit: int = LONGEST_OUTPUT) -> str:
    """Return `text` in lines of its own, each with a mark that none of ours has."""
    return "\n".join(f"> {line}".rstrip() for line in redact(text, limit).splitlines())
