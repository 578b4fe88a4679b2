"""gcloud and Google Cloud's APIs."""

from __future__ import annotations
