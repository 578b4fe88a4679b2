"""Record the schemas again from the real providers."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from closed_network.terraform import first_error

from .clients import ProvidersError, required_providers, run
from .schemas import PARTS, VERSIONS, Schema, recorded

# Prose, and how it is marked up. An attribute may have such a name, too; then a dict follows it.
PROSE = {"description", "description_kind", "deprecation_message"}

TYPES = ("data_source_schemas", "resource_schemas")

# Two of the providers are some 100 MB each.
PATIENCE = 600


def record(
    program: str, environment: Mapping[str, str], folder: Path, added: Sequence[str] = ()
) -> None:
    """Write the schemas of the exact versions into `folder`.

    Recorded are the types that the files there list, and those in `added` with every provider that
    knows them. Raises ProvidersError, and changes no file, when a provider or a type is missing.
    """
    found = schemas(program, environment)
    cuts = {}
    absent = set(added)
    for provider in VERSIONS:
        cut: Schema = {part: found[provider].get(part, {}) for part in PARTS}
        for part in TYPES:
            listed = set(recorded(provider, folder)[part])
            absent = (absent | listed.difference(cut[part])).difference(cut[part])
            kept = listed.union(added).intersection(cut[part])
            cut[part] = {name: cut[part][name] for name in kept}
        cuts[provider] = without_prose(cut)
    if absent:
        raise ProvidersError(f"the providers do not know {', '.join(sorted(absent))}")
    for provider, cut in cuts.items():
        document = {"format_version": "1.0", "provider_schemas": {f"hashicorp/{provider}": cut}}
        text = json.dumps(document, indent=1, sort_keys=True) + "\n"
        (folder / f"{provider}.json").write_text(text, encoding="utf-8")


def schemas(program: str, environment: Mapping[str, str]) -> dict[str, Schema]:
    """What `program` says about the exact versions of the providers, by their names."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "main.tf").write_text(required_providers(), encoding="utf-8")
        for arguments in (["init", "-input=false", "-no-color"], ["providers", "schema", "-json"]):
            try:
                done = run([program, *arguments], Path(scratch), environment, PATIENCE)
            except subprocess.TimeoutExpired:
                raise ProvidersError(f"{arguments[0]} took longer than {PATIENCE} s") from None
            if done.returncode != 0:
                raise ProvidersError(first_error(done.stderr))
    found = json.loads(done.stdout)["provider_schemas"]
    return {address.rpartition("/")[2]: schema for address, schema in found.items()}


def without_prose(schema: Schema) -> Schema:
    return {
        key: without_prose(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if key not in PROSE or isinstance(value, dict)
    }
