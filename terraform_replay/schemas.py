"""The recorded schemas, the versions that they were recorded from, and their protocol form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from tf.gen import tfplugin_pb2 as protocol

# What `python -m terraform_replay record` records.
VERSIONS = {"archive": "2.8.0", "google": "7.45.0", "google-beta": "7.45.0", "time": "0.14.0"}

FOLDER = Path(__file__).resolve().parent / "schemas"

# A part of a schema in the form of `terraform providers schema -json`.
Schema = dict[str, Any]

# What is recorded of a provider's schema.
PARTS = ("data_source_schemas", "provider", "resource_schemas")

# The field `write_only` (number 11, true), younger than the protocol's published Python form.
WRITE_ONLY = b"\x58\x01"


def recorded(provider: str, folder: Path) -> Schema:
    """The recorded schema of `provider`."""
    document = json.loads((folder / f"{provider}.json").read_text(encoding="utf-8"))
    (schema,) = document["provider_schemas"].values()
    return {part: schema[part] for part in PARTS}


def attribute_message(name: str, attribute: Schema) -> Message:
    flags = ("required", "optional", "computed", "sensitive", "deprecated")
    message = protocol.Schema.Attribute(
        name=name, **{flag: attribute.get(flag, False) for flag in flags}
    )
    if "nested_type" in attribute:
        nested = attribute["nested_type"]
        modes = protocol.Schema.Object.NestingMode
        message.nested_type.nesting = modes.Value(nested["nesting_mode"].upper())
        message.nested_type.attributes.extend(attribute_messages(nested))
    else:
        message.type = json.dumps(attribute["type"]).encode()
    if attribute.get("write_only"):
        message.MergeFromString(WRITE_ONLY)
    return message


def attribute_messages(block: Schema) -> list[Message]:
    attributes = block.get("attributes", {})
    return [attribute_message(name, attribute) for name, attribute in attributes.items()]


def block_message(block: Schema) -> Message:
    modes = protocol.Schema.NestedBlock.NestingMode
    nested = [
        protocol.Schema.NestedBlock(
            type_name=name,
            block=block_message(kind["block"]),
            nesting=modes.Value(kind["nesting_mode"].upper()),
            min_items=kind.get("min_items", 0),
            max_items=kind.get("max_items", 0),
        )
        for name, kind in block.get("block_types", {}).items()
    ]
    return protocol.Schema.Block(
        attributes=attribute_messages(block),
        block_types=nested,
        deprecated=block.get("deprecated", False),
    )


def schema_message(schema: Schema) -> Message:
    return protocol.Schema(version=schema["version"], block=block_message(schema["block"]))


def schema_response(schema: Schema) -> Message:
    """The answer to GetProviderSchema of the provider with this schema."""
    resources, sources = schema["resource_schemas"], schema["data_source_schemas"]
    return protocol.GetProviderSchema.Response(
        provider=schema_message(schema["provider"]),
        resource_schemas={name: schema_message(kind) for name, kind in resources.items()},
        data_source_schemas={name: schema_message(kind) for name, kind in sources.items()},
        server_capabilities=protocol.ServerCapabilities(get_provider_schema_optional=True),
    )
