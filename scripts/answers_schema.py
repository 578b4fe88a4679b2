"""Write answers.schema.json from cookiecutter.json and the hook that checks answers: `make docs`.

Patterns are such as ECMA-262 and Python read alike. What JSON Schema cannot say stands in words,
in the question's description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from unicodedata import category

from cookiecutter.utils import create_env_with_context

TEMPLATE = Path(__file__).resolve().parent.parent
SCHEMA = TEMPLATE / "answers.schema.json"
SURROGATES = range(0xD800, 0xE000)


def read_questions() -> dict[str, Any]:
    questions: dict[str, Any] = json.loads(
        (TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8")
    )
    return questions


def read_hook(questions: Mapping[str, Any]) -> ModuleType:
    """The hook that checks answers as a module, rendered by the engine, its ANSWERS `questions`."""
    path = TEMPLATE / "hooks" / "pre_gen_project.py"
    context = {"cookiecutter": dict(questions)}
    environment = create_env_with_context(context)
    program = environment.from_string(path.read_text(encoding="utf-8")).render(**context)
    hook = ModuleType(path.stem)
    exec(compile(program, path, "exec"), vars(hook))  # noqa: S102 - a program of this repository
    return hook


def schema() -> dict[str, Any]:
    """The schema of a document that answers any number of the questions."""
    questions = read_questions()
    hook = read_hook(questions)
    asked = {name: value for name, value in questions.items() if not name.startswith("_")}
    prompts = questions["__prompts__"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answers",
        "description": "Answers to the template's questions. What is left out takes its default.",
        "type": "object",
        # The engine ignores an unknown name; who fills in a form should hear of it.
        "additionalProperties": False,
        "properties": {
            name: question(name, default, prompts[name], hook) for name, default in asked.items()
        },
    }


def question(
    name: str, default: object, prompt: str | dict[str, str], hook: ModuleType
) -> dict[str, Any]:
    """What is asked, what may be answered, and the default."""
    title = prompt if isinstance(prompt, str) else prompt["__prompt__"]
    if isinstance(default, bool):
        return {"title": title, "type": "boolean", "default": default}
    if isinstance(default, list):
        return {"title": title, "type": "string", **choice(default, prompt), "default": default[0]}
    rules = text_rules(name, hook)
    if derived_from := re.findall(r"cookiecutter\.(\w+)", str(default)):
        rules["description"] += f". Left out, it follows from {', '.join(derived_from)}"
    else:
        rules["default"] = default
    return {"title": title, "type": "string", **rules}


def choice(values: list[str], prompt: str | dict[str, str]) -> dict[str, Any]:
    """The values, each with its title if it has one."""
    if isinstance(prompt, str):
        return {"enum": values}
    return {"oneOf": [{"const": value, "title": prompt[value]} for value in values]}


def text_rules(name: str, hook: ModuleType) -> dict[str, Any]:
    if name in hook.FREE_TEXTS:
        characters, octets, example = hook.FREE_TEXTS[name]
        return {
            "description": (
                f"1 to {characters} characters, at least one of them visible; "
                f"at most {octets} bytes of UTF-8; "
                f"none of {' '.join(hook.FORBIDDEN_MARKS)}; "
                "no control character, line break or change of direction"
            ),
            "minLength": 1,
            "maxLength": characters,
            "pattern": free_text_pattern(hook),
            "examples": [example],
        }
    if name in hook.PATTERNS:
        pattern, rule, example = hook.PATTERNS[name]
        return {"description": rule, "pattern": whole(f"(?:{pattern})"), "examples": [example]}
    return {"description": "One region, not a multi-region", "enum": hook.REGIONS}


def free_text_pattern(hook: ModuleType) -> str:
    """Not all invisible, and each character is allowed and begins no mark.

    Surrogates are left out: a pattern of them refuses every emoji where patterns are matched in
    UTF-16, and no form can send half of a character.
    """
    marks = "|".join(re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\g<0>", m) for m in hook.FORBIDDEN_MARKS)
    # All of both lie in the first plane.
    plane = [chr(code) for code in range(0x10000) if code not in SURROGATES]
    blank = characters(char for char in plane if re.match(f"[{hook.INVISIBLE}]", char))
    forbidden = characters(
        char
        for char in plane
        if category(char) in hook.FORBIDDEN_CATEGORIES or char in hook.BIDIRECTIONAL_CONTROLS
    )
    return whole(f"(?![{blank}]*$)(?:(?!{marks})[^{forbidden}])*")


def whole(pattern: str) -> str:
    """`pattern` for the whole text; Python's `$` alone allows a line break after it."""
    return rf"^{pattern}(?!\n)$"


def characters(chars: Iterable[str]) -> str:
    r"""The inside of a class of `chars`, which come in order: `\u0009-\u000d\u0020`."""
    spans: list[list[int]] = []
    for code in map(ord, chars):
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(
        rf"\u{first:04x}" if first == last else rf"\u{first:04x}-\u{last:04x}"
        for first, last in spans
    )


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    SCHEMA.write_text(text(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
