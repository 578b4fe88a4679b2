"""What may be shown of a text that others wrote: no credential, and no more than a screen."""

import re

# What must never be shown, whatever gcloud prints: tokens by their form or name, keys, URL logins.
CREDENTIAL = re.compile(
    r"ya29[.%][\w.%-]+|eyJ[\w-]+\.[\w.-]+|1//[\w-]{10,}|GOCSPX-\S+|AIza[\w-]{30,}"
    r"|(?i:\b(?:bearer|basic)(?:\s|%20)+[\w.~+/=-]+)"
    r"|(?i:\b(?:access_token|refresh_token|id_token|client_secret|password)\b[\"'\s:=]+[^\s\"'&]+)"
    r"|(?<=://)\S*@"
    r"|(?s:-----BEGIN.*?(?:-----END[^\n]*|\Z))"
)
CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LONGEST_OUTPUT = 2000  # characters


def redact(text: str) -> str:
    """Return what may be shown of a command's output: no credential, and not more than a screen."""
    text = CONTROL_CHARACTER.sub("", CREDENTIAL.sub("[hidden]", text)).strip()
    if len(text) > LONGEST_OUTPUT:
        text = text[:LONGEST_OUTPUT] + f"\n[... {len(text) - LONGEST_OUTPUT} characters more]"
    return text
