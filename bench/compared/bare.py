"""Functions that do nothing: what a process costs before it does anything of its own."""

# Its libraries are in the functions' environment, not in the one in which mypy runs here.
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

from __future__ import annotations

import functions_framework


@functions_framework.cloud_event
def handle_event(event: object) -> None:
    del event


@functions_framework.http
def handle_request(request: object) -> str:
    del request
    return ""
