"""answers.schema.json says what the hook says, and what it accepts can be baked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import regress
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend

from scripts import answers_schema
from tests.support.answers import BAD, COMPLETE
from tests.support.baking import Baked, bake, bare_environment, cli
from tests.support.template import CHOICES, PRODUCT, QUESTION_NAMES, QUESTIONS, TEMPLATE

SCHEMA = json.loads(answers_schema.SCHEMA.read_text(encoding="utf-8"))
HOOK = answers_schema.read_hook(QUESTIONS)
HOOKS_OWN = {name: QUESTIONS[name] for name in ("_regions", "_multi_regions")}


def match_as_ecma(
    _validator: object, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """The keyword `pattern` as portals that run JavaScript read it."""
    if isinstance(instance, str) and not regress.Regex(pattern, "u").find(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


VALIDATORS = {
    "Python": Draft202012Validator(SCHEMA),
    "ECMA-262": extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": match_as_ecma}
    )(SCHEMA),
}


def schema_accepts(document: object, patterns: str = "Python") -> bool:
    accepts: bool = VALIDATORS[patterns].is_valid(document)
    return accepts


def hook_accepts(**answers: object) -> bool:
    """What the hook finds, asked in this process, when every other answer is good."""
    vars(HOOK)["ANSWERS"] = COMPLETE | HOOKS_OWN | answers
    found: list[str] = HOOK.problems()
    return not found


# --- the file ---


def test_the_file_is_what_its_program_writes() -> None:
    assert answers_schema.SCHEMA.read_text(encoding="utf-8") == answers_schema.text()


def test_the_file_is_a_schema_of_its_draft() -> None:
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(SchemaError):
        Draft202012Validator.check_schema({**SCHEMA, "additionalProperties": "no"})


def test_every_question_is_in_it_in_order_with_its_prompt_and_its_plain_default() -> None:
    properties = SCHEMA["properties"]
    assert list(properties) == QUESTION_NAMES
    prompts = QUESTIONS["__prompts__"]
    for name, found in properties.items():
        prompt = prompts[name]
        assert found["title"] == (prompt["__prompt__"] if isinstance(prompt, dict) else prompt)
        default = QUESTIONS[name]
        plain = default[0] if isinstance(default, list) else default
        assert found.get("default", plain) == plain
        assert ("default" in found) == ("{{" not in str(default))
    defaults = {name: found["default"] for name, found in properties.items() if "default" in found}
    assert len(defaults) == len(QUESTION_NAMES) - 2
    assert schema_accepts(defaults)


def test_every_choice_is_in_it_in_order_with_its_title() -> None:
    assert len(CHOICES) == 4
    for name, values in CHOICES.items():
        found, prompt = SCHEMA["properties"][name], QUESTIONS["__prompts__"][name]
        if isinstance(prompt, dict):
            offered = {each["const"]: each["title"] for each in found["oneOf"]}
            assert offered == {value: prompt[value] for value in values}
            assert list(offered) == values
        else:
            assert found["enum"] == values


def test_every_example_is_accepted() -> None:
    examples = [
        (name, example)
        for name, found in SCHEMA["properties"].items()
        for example in found.get("examples", [])
    ]
    assert len(examples) == len(HOOK.FREE_TEXTS) + len(HOOK.PATTERNS) - len(CHOICES)
    for name, example in examples:
        assert schema_accepts({name: example})
        assert hook_accepts(**{name: example})


def test_an_unknown_question_is_refused() -> None:
    assert schema_accepts(COMPLETE)
    assert not schema_accepts({**COMPLETE, "projectname": "x"})
    assert not schema_accepts({**COMPLETE, "_regions": ["moon"]})


# --- the schema and the hook agree ---


def around(*lengths: int) -> Iterator[str]:
    """Texts of letters and digits just shorter, as long and just longer than `lengths`."""
    for length in sorted({length + step for length in lengths for step in (-1, 0, 1)}):
        yield "a" * length
        yield "1" * length


# Marks in every place of a word, and what looks like a line's end to some.
WORDS = [
    "a-project",
    *(f"{mark}a-project" for mark in "-_ .1A\n"),
    *(f"a-project{mark}" for mark in "-_ .1A\n\r\u2028"),
    *(f"a-{mark}project" for mark in "-_ .1A\n/\\éа٣"),
    "a-b-c-d-e",
    "x",
    "",
]
FREE_TEXTS = [
    *(f"a{mark}b" for mark in HOOK.FORBIDDEN_MARKS),
    *HOOK.FORBIDDEN_MARKS,
    *(f"a{mark}" for mark in ("\n", "\r", "$", "%", "{", "}", "{ {", "$ {", "# {", "{}", "%%")),
    *("\u3000", " \u2003 ", "\ufeff", "\u200d", "\u200b", " a", "a ", "\u3000a"),
    *("🚨" * length for length in (1, 25, 61)),
    *("é" * length for length in (1, 50)),
    *("漢" * length for length in (1, 33)),
    "$(shell touch x) `touch x` & ; | <b> 'x' <!-- -->",
]
VALUES: dict[str, list[object]] = {
    "project_name": [*FREE_TEXTS, *around(1, 60)],
    "project_slug": [*WORDS, *around(1, 22)],
    "description": [*FREE_TEXTS, *around(1, 120)],
    "gcp_project_id": [*WORDS, *around(6, 30)],
    "platform_project_id": [*WORDS, *around(6, 30)],
    "region": [*QUESTIONS["_regions"], *QUESTIONS["_multi_regions"], "us-central1 ", "US-EAST1"],
    "python_repository": [*WORDS, *around(1, 63)],
    "access_policy_id": ["", "0", "-1", " 1", "1 ", "1\n", "٣", "1e3", *around(1, 20)],
    "allow_upstreams": [True, False, "yes", "true", "", 0, 1],
    **{name: [*values, "", "A", "a b", "x" * 21] for name, values in CHOICES.items()},
}
OTHER_TYPES: list[object] = [None, 5, 1.5, ["a"], {"a": 1}, []]


def cases(name: str) -> list[object]:
    """Good and bad answers to the question `name`."""
    bad = [value for case in BAD.get(name, []) for value in case.values]
    return [*VALUES[name], *bad, *OTHER_TYPES]


def too_many_bytes(name: str, value: object) -> bool:
    if name not in HOOK.FREE_TEXTS or not isinstance(value, str):
        return False
    characters, octets, _ = HOOK.FREE_TEXTS[name]
    return len(value) <= characters and len(value.encode()) > int(octets)


@pytest.mark.parametrize("patterns", VALIDATORS)
@pytest.mark.parametrize("name", QUESTION_NAMES)
def test_the_schema_accepts_what_the_hook_accepts_and_no_more(name: str, patterns: str) -> None:
    verdicts = set()
    for value in cases(name):
        if too_many_bytes(name, value):
            continue  # a difference, below
        accepted = schema_accepts({name: value}, patterns)
        assert accepted == hook_accepts(**{name: value}), value
        verdicts.add(accepted)
    assert verdicts == {True, False}


@pytest.mark.parametrize("patterns", VALIDATORS)
def test_the_schema_allows_the_same_characters_as_the_hook(patterns: str) -> None:
    refused = set()
    for char in map(chr, range(0x10000)):
        if char.isprintable() or ord(char) in answers_schema.SURROGATES:
            continue  # the former come below, the latter are a difference
        accepted = schema_accepts({"description": f"a{char}b"}, patterns)
        assert accepted == hook_accepts(description=f"a{char}b"), hex(ord(char))
        if not accepted:
            refused.add(char)
    assert {"\x00", "\t", "\n", "\x9f", "\u2028", "\u2029", "\u202e"} <= refused
    assert "\u200d" not in refused

    marks = set("".join(HOOK.FORBIDDEN_MARKS))
    printable = [char for char in map(chr, range(sys.maxunicode)) if char.isprintable()]
    plain = "".join(char for char in printable if char not in marks)
    assert len(plain) > 100_000
    for start in range(0, len(plain), 63):  # 256 bytes at most
        piece = f"a{plain[start : start + 63]}"
        assert schema_accepts({"description": piece}, patterns), piece
        assert hook_accepts(description=piece), piece


# --- where they differ ---


def test_only_the_hook_counts_bytes() -> None:
    """JSON Schema counts characters alone; the description says how many bytes there may be."""
    for name, (characters, octets, _) in HOOK.FREE_TEXTS.items():
        assert f"at most {octets} bytes" in SCHEMA["properties"][name]["description"]
        fits, too_long = "漢" * (octets // 3), "漢" * (octets // 3 + 1)
        assert len(too_long) <= characters
        assert too_many_bytes(name, too_long)
        assert not too_many_bytes(name, fits)
        assert schema_accepts({name: fits})
        assert hook_accepts(**{name: fits})
        assert schema_accepts({name: too_long})
        assert not hook_accepts(**{name: too_long})


def test_only_the_hook_knows_what_is_invisible_beyond_the_first_plane() -> None:
    """A pattern of such characters would be read in halves where they are UTF-16."""
    for text in ("\U000e0041", "\U0001d173"):
        assert schema_accepts({"description": text})
        assert not hook_accepts(description=text)


def test_only_the_hook_refuses_half_of_a_character() -> None:
    """A pattern that does would refuse every emoji where patterns are matched in UTF-16."""
    assert schema_accepts({"project_name": "a\ud83dname"})
    assert not hook_accepts(project_name="a\ud83dname")
    for half in (r"\ud8", r"\udb", r"\udc", r"\udf"):
        assert half not in SCHEMA["properties"]["project_name"]["pattern"]


@pytest.mark.parametrize("name", CHOICES)
def test_only_the_schema_knows_the_choices(name: str) -> None:
    """The engine offers the choices itself; what reaches the hook otherwise must be harmless."""
    assert not schema_accepts({name: "other"})
    assert hook_accepts(**{name: "other"})


def test_only_the_hook_sees_what_follows_from_another_answer(tmp_path: Path) -> None:
    """A slug that is left out is made from the name, and need not be one."""
    document = {"project_name": "2 disks"}
    assert schema_accepts(document)
    done = cli(tmp_path, "project_name=2 disks")
    assert "project_slug: '2-disks' is refused" in done.stderr


# --- from a portal ---


def write(path: Path, document: object) -> str:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return str(path)


def baked(folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, bytes]:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return Baked(folder / "out" / str(COMPLETE["project_slug"])).files()


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, bytes]:
    """What the engine bakes of the answers when they are handed over in this process."""
    assert all(
        COMPLETE[name] != found.get("default") for name, found in SCHEMA["properties"].items()
    )
    assert all(schema_accepts(COMPLETE, patterns) for patterns in VALIDATORS)
    return bake(tmp_path / "expected", **COMPLETE).files()


def test_a_document_is_baked_as_a_configuration_file(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    configuration = write(tmp_path / "config.json", {"default_context": COMPLETE})
    assert baked(tmp_path, cli(tmp_path, "--config-file", configuration)) == expected


def test_a_document_is_baked_as_a_replay_file(tmp_path: Path, expected: dict[str, bytes]) -> None:
    replay = write(tmp_path / "replay.json", {"cookiecutter": COMPLETE})
    assert baked(tmp_path, cli(tmp_path, "--replay-file", replay, typed="")) == expected


def test_a_document_is_baked_as_arguments(tmp_path: Path, expected: dict[str, bytes]) -> None:
    arguments = [f"{name}={value}" for name, value in COMPLETE.items()]
    assert baked(tmp_path, cli(tmp_path, *arguments)) == expected


def test_a_document_is_baked_by_cruft(
    tmp_path: Path, template_repository: Path, expected: dict[str, bytes]
) -> None:
    answers = write(tmp_path / "answers.json", COMPLETE)
    options = ["--no-input", "--extra-context-file", answers, "--output-dir", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "cruft", "create", *options, str(template_repository)],
        env=bare_environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    found = baked(tmp_path, done)
    state = json.loads(found.pop(".cruft.json"))
    assert found == expected
    assert COMPLETE.items() <= state["context"]["cookiecutter"].items()


def test_a_document_is_baked_where_it_replaces_the_defaults(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """So do portals that write the answers into cookiecutter.json; choices become texts."""
    copied = tmp_path / "template"
    for name in ("hooks", "templates", PRODUCT.name):
        shutil.copytree(TEMPLATE / name, copied / name)
    write(copied / "cookiecutter.json", QUESTIONS | COMPLETE)
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", "-o", "out", str(copied)],
        cwd=tmp_path,
        env=bare_environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert baked(tmp_path, done) == expected


def test_a_configuration_file_must_hold_characters_not_their_escapes(tmp_path: Path) -> None:
    """YAML joins no surrogates: of JSON's escapes of an emoji it makes two halves."""
    name = "\N{POLICE CARS REVOLVING LIGHT}"
    document = {"default_context": {"project_name": name, "project_slug": "fixed"}}
    configuration = tmp_path / "config.json"
    for as_escapes in (True, False):
        text = json.dumps(document, ensure_ascii=as_escapes)
        configuration.write_text(text, encoding="utf-8")
        done = cli(tmp_path, "--config-file", str(configuration))
        assert ("surrogates not allowed" in done.stderr) == as_escapes
        assert (done.returncode != 0) == as_escapes
        shutil.rmtree(tmp_path / "out")


def test_a_wrong_choice_in_a_configuration_file_is_no_error_to_the_engine(tmp_path: Path) -> None:
    """It warns, and drops what follows: therefore a document is validated first."""
    document: dict[str, Any] = {"platform": "rent", "project_slug": "mine"}
    configuration = write(tmp_path / "config.json", {"default_context": document})
    done = cli(tmp_path, "--config-file", configuration)
    assert done.returncode == 0
    assert "rent provided for choice variable platform" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["alert-to-snmp"]
    assert not schema_accepts(document)
    assert schema_accepts(document | {"platform": "join"})
