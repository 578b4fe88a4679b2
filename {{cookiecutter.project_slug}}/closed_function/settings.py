"""Read the settings of a stack, together with what an environment says differs."""

from collections.abc import Mapping
from pathlib import Path

from closed_function.declarations import Declaration, find_unknown, parse_declarations
from closed_function.errors import CommandError
from closed_function.files import as_mapping, read_object, read_text
from closed_function.paths import SETTINGS, TERRAFORM, environment_settings, relative


def read_settings(stack: str, environment: str | None) -> dict[str, object]:
    """Return the settings of `stack`, as the environment has them.

    CommandError when a file cannot be read, or has a name that the stack's variables.tf lacks.
    """
    folder = TERRAFORM / stack
    declared = read_declarations(stack)
    settings = read_declared(folder / SETTINGS, declared)
    if environment is None:
        return settings
    return merge(settings, read_declared(environment_settings(stack, environment), declared))


def read_declarations(stack: str) -> Declaration:
    """Return the variables of a stack, those in files of the user's own included."""
    files = sorted((TERRAFORM / stack).glob("*.tf"))
    return parse_declarations("\n".join(read_text(file)[0] for file in files))


def read_declared(file: Path, declared: Declaration) -> dict[str, object]:
    content, why = read_object(file)
    if why:
        raise CommandError(f"{relative(file)} {why}.")
    for unknown in find_unknown(content, declared):
        raise CommandError(f"{relative(file)}: {unknown}")
    return content


def merge(settings: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Return `settings` with a JSON Merge Patch (RFC 7396) applied: null removes a name."""
    merged = dict(settings)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge(as_mapping(merged.get(name)), value)
        else:
            merged[name] = value
    return merged


def setting(values: Mapping[str, object], declared: Declaration, path: str) -> object:
    """Return the value at `path`, names with dots between: as it is set, else its default."""
    name, _, rest = path.partition(".")
    known = (declared.fields or {}).get(name, Declaration())
    value = values.get(name)
    if rest:
        return setting(as_mapping(value), known, rest)
    return known.default if value is None else value
