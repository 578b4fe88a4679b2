"""Read which names a stack's variables.tf declares, without Terraform."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from closed_function.errors import suggestion

TOKEN = re.compile(r'/\*.*?\*/|(?:#|//)[^\n]*|"(?:[^"\\]|\\.)*"|[\w.-]+|\S', re.DOTALL)
HEREDOC = re.compile(r"<<-?(\w+)\n.*?^\s*\1$", re.MULTILINE | re.DOTALL)
# On one line, or up to a line that begins with the bracket.
VARIABLE = re.compile(
    r'^variable\s+"?([\w-]+)"?\s*\{(?:([^\n]*)\}[ \t]*$|[^\n]*\n(.*?)^\})', re.MULTILINE | re.DOTALL
)
TYPE = re.compile(r"^\s*type\s*=\s*(.*)", re.MULTILINE | re.DOTALL)
DEFAULT = re.compile(r"^[ \t]{0,3}default\s*=", re.MULTILINE)


class Declaration(NamedTuple):
    """A declared type.

    `fields` are an object's attributes by name, `element` is what a map, list or set holds; both
    are None for any other type. `default` is None unless it is one text, number or bool. Only
    variables can be `required`.
    """

    fields: Mapping[str, "Declaration"] | None = None
    element: "Declaration | None" = None
    default: object = None
    required: bool = False

    def variables(self) -> Iterable[tuple[str, "Declaration"]]:
        return (self.fields or {}).items()


def parse_declarations(text: str) -> Declaration:
    """Return the variables that the text of Terraform files declares, as one object's fields."""
    fields = {}
    for name, line, block in VARIABLE.findall(HEREDOC.sub('""', text)):
        body = line or block
        declared = TYPE.search(body)
        tokens = TOKEN.findall(declared[1]) if declared else []
        try:
            known = read_type(
                [each for each in tokens if each[:2] not in {"//", "/*"} and each[0] != "#"]
            )
        except IndexError:  # in a form that is not known here: Terraform itself checks it
            known = Declaration()
        fields[name] = known._replace(required=not DEFAULT.search(body))
    return Declaration(fields)


def read_type(tokens: list[str]) -> Declaration:
    """Take one type from the front of `tokens`."""
    word = tokens.pop(0)
    if word not in {"object", "map", "list", "set", "optional"}:
        return Declaration()
    tokens.pop(0)  # (
    if word == "object":
        tokens.pop(0)  # {
        fields = {}
        while (name := tokens.pop(0)) != "}":
            tokens.pop(0)  # =
            fields[name] = read_type(tokens)
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return Declaration(fields)
    declared = read_type(tokens)
    if word != "optional":
        tokens.pop(0)
        return Declaration(element=declared)
    default = list(take_argument(tokens))
    return declared._replace(default=literal(default[1:]))


def take_argument(tokens: list[str]) -> Iterator[str]:
    """Take tokens up to the bracket that closes the argument, and that bracket."""
    depth = 1
    while depth:
        token = tokens.pop(0)
        depth += (token in {"(", "[", "{"}) - (token in {")", "]", "}"})
        if depth:
            yield token


def literal(tokens: list[str]) -> object:
    """Return the value of a text, number or bool; None for any other expression."""
    try:
        return json.loads(" ".join(tokens)) if len(tokens) == 1 else None
    except ValueError:
        return None


def find_unknown(given: object, declared: Declaration, path: str = "") -> Iterator[str]:
    """Yield a sentence for each name in `given` that is not declared."""
    if declared.element and isinstance(given, dict | list):
        for item in given.values() if isinstance(given, dict) else given:
            yield from find_unknown(item, declared.element, path)
    if declared.fields is None or not isinstance(given, dict):
        return
    for name, value in given.items():
        if name in declared.fields:
            yield from find_unknown(value, declared.fields[name], f"{path}{name}.")
            continue
        known = f"it has {', '.join(sorted(declared.fields))}."
        yield f"there is no {path}{name}; {suggestion(name, declared.fields) or known}"
