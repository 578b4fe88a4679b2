"""Remove credentials from what other programs print, and keep it to a screen."""

import re

# Tokens by their form or name, keys, and logins in URLs.
CREDENTIAL = re.compile(
    r"ya29[.%][\w.%-]+|eyJ[\w-]+\.[\w.-]+|1//[\w-]{10,}|GOCSPX-\S+|AIza[\w-]{30,}"
    r"|(?i:\b(?:bearer|basic)(?:\s|%20)+[\w.~+/=-]+)"
    r"|(?i:\b(?:access_token|refresh_token|id_token|client_secret|password)\b[\"'\s]*[:=][\"'\s]*[^\s\"'&]+)"
    r"|(?<=://)\S*@"
    r"|(?s:-----BEGIN.*?(?:-----END[^\n]*|\Z))"
)
CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LONGEST_OUTPUT = 2000  # characters


def redact(text: str) -> str:
    """Return a command's output without credentials, and not more than a screen of it."""
    text = CONTROL_CHARACTER.sub("", CREDENTIAL.sub("[hidden]", text)).strip()
    if len(text) > LONGEST_OUTPUT:
        text = text[:LONGEST_OUTPUT] + f"\n[... {len(text) - LONGEST_OUTPUT} characters more]"
    return text
