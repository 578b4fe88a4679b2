"""Answers: good ones survive, bad ones are refused in one go and leave nothing behind."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from cookiecutter.utils import create_env_with_context
from markdown_it import MarkdownIt

from tests.support.answers import BAD, COMPLETE
from tests.support.baking import Baked, bake, bare_environment, cli
from tests.support.machine import need
from tests.support.template import CHOICES, QUESTION_NAMES, QUESTIONS, TEMPLATE


def typed_answers(**answers: str) -> str:
    assert set(answers) <= set(QUESTION_NAMES)
    return "".join(answers.get(name, "") + "\n" for name in QUESTION_NAMES)


def run_pre_gen_hook(
    folder: Path, answers: Mapping[str, object]
) -> subprocess.CompletedProcess[str]:
    """Render the hook as the engine does, with `answers` over good ones, and run it in `folder`."""
    good: dict[str, object] = {
        "project_name": "A name",
        "project_slug": "fixed",
        "description": "A sentence.",
        "gcp_project_id": "my-project-id",
        "platform_project_id": "my-project-id",
        "region": "asia-northeast1",
        "python_repository": "ar-buildpython",
        "access_policy_id": "",
        "function_kind": "http",
        "python_version": "3.13",
        "platform": "create",
        "ci": "none",
        "allow_upstreams": True,
        "_regions": QUESTIONS["_regions"],
        "_multi_regions": QUESTIONS["_multi_regions"],
        "_jinja2_env_vars": QUESTIONS["_jinja2_env_vars"],
    }
    context = {"cookiecutter": good | dict(answers)}
    source = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    hook = folder / "hook.py"
    text = create_env_with_context(context).from_string(source).render(**context)
    hook.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(hook)],
        cwd=folder,
        env=bare_environment(folder),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def assert_refused(folder: Path, done: subprocess.CompletedProcess[str], *fields: str) -> None:
    """The bake failed with one line for each of `fields`, and nothing of it is left in `folder`."""
    errors = done.stderr
    assert done.returncode != 0
    for field in fields:
        lines = [line for line in errors.splitlines() if line.startswith(f"{field}: ")]
        assert len(lines) == 1, errors
        assert "is refused" in lines[0]
        assert "for example" in lines[0]
    problems = [line for line in errors.splitlines() if " is refused: " in line]
    assert len(problems) == len(fields), errors
    assert list((folder / "out").iterdir()) == []
    assert {path.name for path in folder.iterdir()} <= {"out", "tmp", ".cookiecutter_replay"}


BAD_ANSWERS = pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(field, *case.values, id=f"{field}: {case.id}")
        for field, cases in BAD.items()
        for case in cases
    ],
)


@BAD_ANSWERS
def test_the_hook_refuses_a_bad_answer_with_one_line(
    field: str, value: str, tmp_path: Path
) -> None:
    good = run_pre_gen_hook(tmp_path, {})
    assert (good.returncode, good.stderr) == (0, "")
    done = run_pre_gen_hook(tmp_path, {field: value})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if " is refused: " in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{field}: ")
    assert "for example" in lines[0]
    assert not list(tmp_path.rglob("*MARK*"))


@pytest.mark.slow
@BAD_ANSWERS
def test_a_bad_answer_is_refused_with_one_line_and_leaves_nothing(
    field: str, value: str, tmp_path: Path
) -> None:
    # A value that the other questions' defaults derive from must not make them fail as well.
    fixed = {"project_slug": "fixed", "platform_project_id": "my-project-id"} | {field: value}
    done = cli(tmp_path, *(f"{name}={text}" for name, text in fixed.items()))
    assert_refused(tmp_path, done, field)
    assert not list(tmp_path.rglob("*MARK*"))


def test_a_near_miss_of_a_region_gets_the_right_one_suggested(tmp_path: Path) -> None:
    done = cli(tmp_path, "region=asia-notheast1")
    assert_refused(tmp_path, done, "region")
    assert "did you mean asia-northeast1?" in done.stderr


def test_every_problem_is_reported_in_one_go(tmp_path: Path) -> None:
    bad = {
        "project_name": 'a"b',
        "project_slug": "Bad",
        "description": "a\\b",
        "gcp_project_id": "x",
        "platform_project_id": "Y",
        "region": "moon",
        "python_repository": "a/b",
        "access_policy_id": "accessPolicies/1",
    }
    done = cli(tmp_path, *(f"{name}={value}" for name, value in bad.items()))
    assert_refused(tmp_path, done, *bad)


def test_a_refusal_says_how_to_keep_the_other_answers(tmp_path: Path) -> None:
    done = cli(tmp_path, "region=us")
    (hint,) = [line for line in done.stderr.splitlines() if "--replay-file" in line]
    saved = Path(hint.split()[-2].replace("~", str(tmp_path)))
    answers = json.loads(saved.read_text(encoding="utf-8"))
    answers["cookiecutter"]["region"] = "us-central1"
    saved.write_text(json.dumps(answers), encoding="utf-8")
    again = cli(tmp_path, "--replay-file", str(saved))
    assert again.returncode != 0  # the engine does not take --no-input with a replay
    again = cli(tmp_path, "--replay-file", str(saved), typed="")
    assert again.returncode == 0, again.stderr
    text = (tmp_path / "out/alert-to-snmp/function/requirements.txt").read_text(encoding="utf-8")
    assert text.startswith("--index-url https://us-central1-python.pkg.dev/")


def test_cruft_takes_refused_answers_up_again(template_repository: Path, tmp_path: Path) -> None:
    git = need(shutil.which("git"), "git")
    environment = bare_environment(
        tmp_path, PATH=f"{Path(sys.executable).parent}:{Path(git).parent}"
    )

    def typed(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    given = json.dumps({**COMPLETE, "region": "us"})
    first = typed(
        "cruft", "create", "--no-input", "--extra-context", given, str(template_repository)
    )
    assert first.returncode != 0
    (again,) = [line for line in first.stderr.splitlines() if line.startswith("cruft create ")]
    saved = Path(shlex.split(again)[-2])
    assert saved.parent == tmp_path / ".cookiecutter_replay"
    answers = json.loads(saved.read_text(encoding="utf-8"))
    assert answers == {**COMPLETE, "region": "us"}
    refused_again = typed("sh", "-c", again)
    assert again in refused_again.stderr.splitlines()
    saved.write_text(json.dumps({**answers, "region": "us-central1"}), encoding="utf-8")
    corrected = typed("sh", "-c", again)
    assert corrected.returncode == 0, corrected.stderr
    found = Baked(tmp_path / str(COMPLETE["project_slug"])).files()
    state = json.loads(found.pop(".cruft.json"))
    expected = {**COMPLETE, "region": "us-central1"}
    assert expected.items() <= state["context"]["cookiecutter"].items()
    assert found == bake(tmp_path / "expected", **expected).files()


def test_an_address_that_can_hold_a_password_is_not_printed(tmp_path: Path) -> None:
    for address, shown in {
        "https://user:s3cret@host.example/t": "TEMPLATE",
        "https://host.example/t.zip?token=s3cret": "TEMPLATE",
        "git@host.example:org/t": "git@host.example:org/t",
        "a path/t": "'a path/t'",
    }.items():
        done = run_pre_gen_hook(tmp_path, {"region": "us", "_template": address})
        assert done.stderr.splitlines()[-1].endswith(f"-refused.json {shown}")
        assert "s3cret" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["{{ 7*7 }}", "{% raw %}", "{# comment #}", "${x}", "%{ if }"])
@pytest.mark.parametrize("field", ["project_name", "description"])
def test_a_template_mark_that_is_typed_is_refused_and_not_evaluated(
    field: str, mark: str, tmp_path: Path
) -> None:
    answers = {"project_slug": "fixed"} | {field: mark}
    done = cli(tmp_path, typed=typed_answers(**answers))
    assert_refused(tmp_path, done, field)
    assert "'49'" not in done.stderr


@pytest.mark.parametrize(
    "slug",
    [
        pytest.param("../x", id="beside the output directory"),
        pytest.param("../new/x", id="in a new folder beside it"),
        pytest.param("a/b/c", id="nested"),
        pytest.param("ABSOLUTE/new/x", id="absolute"),
    ],
)
def test_a_slug_with_separators_leaves_no_folder_anywhere(slug: str, tmp_path: Path) -> None:
    slug = slug.replace("ABSOLUTE", str(tmp_path / "elsewhere"))
    done = cli(tmp_path, f"project_slug={slug}")
    assert_refused(tmp_path, done, "project_slug")


@pytest.mark.parametrize(
    "slug", ["x/..", "x/../precious", "../out/x/../precious", ".../../precious"]
)
def test_a_slug_that_winds_back_to_an_existing_folder_cannot_delete_it(
    slug: str, tmp_path: Path
) -> None:
    precious = tmp_path / "out" / "precious" / "file"
    precious.parent.mkdir(parents=True)
    precious.write_text("kept", encoding="utf-8")
    done = cli(tmp_path, f"project_slug={slug}")
    assert done.returncode != 0
    assert "must not contain .." in done.stderr
    assert precious.read_text(encoding="utf-8") == "kept"


def test_what_the_engine_leaves_behind_a_refusal_is_empty_folders(tmp_path: Path) -> None:
    """It makes them before any hook, which cannot know what was there."""
    for number, (slug, left) in enumerate({"x/..": ["x"], "../out/x/../y": ["x", "y"]}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert cli(folder, f"project_slug={slug}").returncode != 0
        assert sorted(path.name for path in (folder / "out").rglob("*")) == left
    done = cli(tmp_path, "region=us", "--output-dir", str(tmp_path / "new/output"))
    assert done.returncode != 0
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["output"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allow_upstreams", "no"),
        ("allow_upstreams", None),
        ("region", None),
        ("project_slug", 5),
        ("description", ["a"]),
        ("python_version", '3.13"\n[tool.x]\ny="'),
        ("platform", 'create"'),
        ("ci", "a b"),
        ("function_kind", "../http"),
    ],
)
def test_what_only_a_replay_file_can_hold_is_refused(
    field: str, value: object, tmp_path: Path
) -> None:
    done = run_pre_gen_hook(tmp_path, {field: value})
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if " is refused: " in line]
    assert [line.split(":")[0] for line in lines] == [field], done.stderr
    assert "Traceback" not in done.stderr


def test_a_refusal_over_an_existing_repository_leaves_it_alone(tmp_path: Path) -> None:
    product = bake(tmp_path / "out", project_slug="mine")
    (product.path / "own").write_text("kept", encoding="utf-8")
    before = product.files()
    done = cli(tmp_path, "-f", "project_slug=mine", "region=us")
    assert done.returncode != 0
    assert product.files() == before


@pytest.mark.skipif(os.name == "nt", reason="arguments are UTF-16 there")
def test_invalid_utf8_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    done = cli(tmp_path, b"project_name=a\xffb", "project_slug=fixed")
    assert_refused(tmp_path, done, "project_name")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("障害通知 🚨", id="Japanese and emoji"),
        pytest.param("👩‍🚒 duty", id="zero-width joiner"),
        pytest.param("x" * 60, id="60 characters"),
        pytest.param("$(shell touch MARK) `touch MARK` & ; | <b>", id="shell"),
        pytest.param("It's 100% #1 <!-- -->", id="punctuation"),
    ],
)
def test_a_good_name_survives_intact_and_is_never_interpreted(name: str, tmp_path: Path) -> None:
    done = cli(tmp_path, f"project_name={name}", f"description={name}", "project_slug=fixed")
    assert done.returncode == 0, done.stderr
    product = bake(tmp_path / "again", project_name=name, description=name, project_slug="fixed")
    assert rendered(product)[0] == name
    assert tomllib.loads(product.read("pyproject.toml"))["project"]["description"] == name
    assert not list(tmp_path.rglob("*MARK*"))
    helped = product.run(need(shutil.which("make"), "make"), "help")
    assert helped.returncode == 0, helped.stderr
    assert "make test" in helped.stdout
    assert not list(tmp_path.rglob("*MARK*"))


def rendered(product: Baked) -> tuple[str, str, list[str]]:
    """Return the title and the first paragraph of README.md as text, and the types of what follows.

    As CommonMark reads it, with tables and strikethrough.
    """
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = markdown.parse(product.read("README.md"))
    texts = [
        "".join(child.content if child.type == "text" else f"[{child.type}]" for child in children)
        for children in (token.children or [] for token in tokens[:6] if token.type == "inline")
    ]
    assert [token.tag for token in tokens[:6:3]] == ["h1", "p"]
    return texts[0], texts[1], [token.type for token in tokens[6:]]


@pytest.mark.parametrize(
    "text",
    [
        "<!-- hidden",
        "~~~ a fence",
        "``` a fence",
        "a `b` c ``` d",
        "<script>alert(1)</script>",
        "<pre> as it is",
        "</details><!-- -->",
        "&lt;b&gt; R&D &amp;",
        "# no title #",
        "- no item",
        "+ no item",
        "12) no item. No",
        "1. no item",
        "> no quotation",
        "--- no rule ---",
        "***",
        "===",
        "*a* __b__ ~~c~~ $d$ snake_case",
        "[a](javascript:x) ![b](c) <https://d.example>",
        "| a | b |",
        "plain.",
    ],
)
def test_free_text_is_in_the_readme_as_it_was_typed(text: str, tmp_path: Path) -> None:
    plain = bake(tmp_path / "plain", project_slug="fixed")
    product = bake(tmp_path / "made", project_slug="fixed", project_name=text, description=text)
    assert rendered(product) == (text, text, rendered(plain)[2])
    # What README.md says is what a repository without a link to its template is linked with.
    done = product.run(sys.executable, "-m", "closed_function", "upgrade")
    (command,) = [line for line in done.stderr.splitlines() if "cruft link" in line]
    words = shlex.split(command)
    answers = json.loads(words[words.index("--extra-context") + 1])
    assert (answers["project_name"], answers["description"]) == (text, text)


def test_text_that_is_written_as_it_is_would_be_noticed(tmp_path: Path) -> None:
    product = bake(tmp_path, project_slug="fixed")
    whole = rendered(product)
    for text in ("<!--", "~~~", "a `b` c", "1. a"):
        readme = f"# {text}\n\n{text}\n" + product.read("README.md").partition(".\n")[2]
        (product.path / "README.md").write_text(readme, encoding="utf-8")
        try:
            found = rendered(product)
        except (AssertionError, IndexError):
            continue
        assert found != (text, text, whole[2])


@pytest.mark.parametrize("slug", ["console", "com", "com10", "nul-a", "a-con"])
def test_a_slug_that_only_begins_like_a_reserved_name_is_good(slug: str, tmp_path: Path) -> None:
    done = run_pre_gen_hook(tmp_path, {"project_slug": slug})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "template", [TEMPLATE, os.path.relpath(TEMPLATE)], ids=["path", "relative"]
)
@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("function_kind", "other"),
        ("ci", "gitlab"),
        ("platform", "created"),
        ("python_version", "3.9"),
    ],
)
def test_a_choice_that_a_replay_file_holds_is_one_of_the_choices(
    question: str, value: str, template: Path | str, tmp_path: Path
) -> None:
    good = {name: QUESTIONS[name][0] for name in CHOICES}
    context = {**QUESTIONS, **COMPLETE, **good, "project_slug": "fixed"}
    for number, answers in enumerate((context, {**context, question: value})):
        replay = tmp_path / f"answers{number}.json"
        replay.write_text(json.dumps({"cookiecutter": answers}), encoding="utf-8")
        folder = tmp_path / str(number)
        folder.mkdir()
        where = os.path.relpath(TEMPLATE, folder) if isinstance(template, str) else template
        options = ["--replay-file", str(replay)]
        done = cli(folder, *options, template=where, typed="", PWD=str(folder))
        if number == 0:
            assert done.returncode == 0, done.stderr
        else:
            assert_refused(folder, done, question)
            assert f"one of {', '.join(CHOICES[question])}; for example " in done.stderr


def test_a_link_where_refused_answers_are_saved_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "tmp" / "precious"
    precious.parent.mkdir()
    precious.write_text("kept", encoding="utf-8")
    saved = tmp_path / ".cookiecutter_replay" / "closed-function-refused.json"
    saved.parent.mkdir()
    saved.symlink_to(precious)
    assert_refused(tmp_path, cli(tmp_path, "region=us"), "region")
    assert precious.read_text(encoding="utf-8") == "kept"
    assert json.loads(saved.read_text(encoding="utf-8"))["cookiecutter"]["region"] == "us"
    engines = saved.with_name(f"{TEMPLATE.name}.json")
    assert set(saved.parent.iterdir()) == {saved, engines}


def test_the_default_slug_of_a_long_or_foreign_name_is_legal(tmp_path: Path) -> None:
    for name in ("An alert that is sent to the operators", "障害通知", "Très élégant"):
        done = cli(tmp_path, f"project_name={name}")
        assert done.returncode == 0, done.stderr


def test_every_default_can_simply_be_confirmed(tmp_path: Path) -> None:
    done = cli(tmp_path, typed=typed_answers())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "alert-to-snmp" / "README.md").is_file()
