"""The commands: each module has add_arguments(parser) and run(options)."""

from __future__ import annotations
