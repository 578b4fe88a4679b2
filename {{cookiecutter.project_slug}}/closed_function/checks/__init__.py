"""What a build needs, checked in this repository's files and in Google Cloud."""

from __future__ import annotations
