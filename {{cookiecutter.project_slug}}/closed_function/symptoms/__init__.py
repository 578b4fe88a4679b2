"""What can be wrong: the catalogue of causes, and which of them a log shows."""

from __future__ import annotations
