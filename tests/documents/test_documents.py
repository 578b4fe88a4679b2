"""The documents: links lead somewhere, tests run the commands, pictures and tables are current."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from closed_function.pip_settings import uv_environment
from scripts import demo
from tests.support.answers import COMPLETE
from tests.support.baking import Baked, bake, bare_environment
from tests.support.environments import make_environment
from tests.support.machine import need
from tests.support.sources import Source, read_sources, said_by
from tests.support.template import CHOICES, KINDS, PRODUCT, TEMPLATE

# Those that exist of them.
DOCUMENTS = sorted(
    path
    for pattern in ("README*.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/*.md")
    for path in TEMPLATE.glob(pattern)
)

PRODUCT_DOCUMENTS = ("README.md", "README.ja.md", "docs/operations.md")
# Lines of a README. Those in Japanese also stand for docs/answers.md and docs/operations.md.
MOST_LINES, MOST_LINES_IN_JAPANESE = 80, 105
MOST_LINES_OF_PRODUCT, MOST_LINES_OF_GUIDE = 110, 260

# What a document tells to type, without its arguments, and the test that runs it.
CLOUD = "needs a cloud account"
SAID_OF_CLOUD = ("cloud account", "Google Cloud アカウント")
COMMANDS = {
    # the template's
    "uvx cruft create": "test_a_command_of_the_readme_bakes_the_template",
    "uvx cookiecutter": "test_a_command_of_the_readme_bakes_the_template",
    "pipx run cookiecutter": "test_a_command_of_the_readme_bakes_the_template",
    "cruft create": "test_an_update_brings_the_news_and_keeps_what_belongs_to_the_user",
    "make demo": "test_the_default_repository_is_denied_then_allowed_then_built_and_answers",
    "make test": "test_a_product_passes_its_own_tests",
    "make test-fast": "test_make_test_fast_runs_what_make_test_runs_but_for_the_slow",
    "uvx": "test_uvx_and_pipx_run_the_rehearsal_from_git",
    "pipx run": "test_uvx_and_pipx_run_the_rehearsal_from_git",
    "closed-network run": "test_a_developers_commands_need_nothing_but_the_index",
    "cookiecutter": "test_what_the_page_of_answers_tells_to_type_bakes_the_answers",
    "jq": "test_what_the_page_of_answers_tells_to_type_bakes_the_answers",
    # a product's
    "make lint": "test_the_hooks_pass_a_fresh_product_unchanged_and_stop_a_bad_one",
    "make hooks": "test_make_hooks_lets_git_refuse_what_the_checks_find",
    "closed_function with-index": "test_a_developers_commands_need_nothing_but_the_index",
    "make run": "test_make_run_serves_what_is_saved_and_waits_for_what_can_be_served",
    "make rehearse": "test_make_rehearse_runs_the_rehearsal_of_the_templates_version",
    "make send": "test_make_send_delivers_to_make_run_and_says_when_nobody_listens",
    "make platform": "test_two_commands_make_the_platform_and_the_function",
    "make secrets": "test_missing_secrets_are_created_and_their_values_are_not_shown",
    "make deploy": "test_two_commands_make_the_platform_and_the_function",
    "make plan": "test_what_a_user_types_deploys_changes_and_destroys",
    "make destroy": "test_what_a_user_types_deploys_changes_and_destroys",
    "sed": "test_what_a_user_types_deploys_changes_and_destroys",
    "make accounts": "test_a_function_of_another_project_says_what_the_platform_must_list",
    "make doctor": "test_make_hands_over_what_was_typed",
    "make explain": "test_make_hands_over_what_was_typed",
    # Google's
    "gcloud artifacts vpcsc-config allow": CLOUD,
    "gcloud auth login": CLOUD,
    "gcloud auth application-default login": CLOUD,
    "gcloud services enable": CLOUD,
}
# Those that take their command from a document, as it stands there.
OF_DOCUMENT = {
    "test_a_command_of_the_readme_bakes_the_template": "README.md",
    "test_uvx_and_pipx_run_the_rehearsal_from_git": "docs/closed-network.md",
    "test_what_the_page_of_answers_tells_to_type_bakes_the_answers": "docs/answers.md",
    "test_what_a_user_types_deploys_changes_and_destroys": "docs/verified.md",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of commands, and what its section says before it."""

    lines: tuple[str, ...]
    before: str

    def commands(self) -> list[str]:
        return [name for line in self.lines if (name := command(line))]

    def says_so(self) -> bool:
        text = "\n".join((self.before, *self.lines)).replace("\n", " ")
        return any(said in text for said in SAID_OF_CLOUD)


@cache
def tokens(text: str) -> list[Token]:
    """`text` as Markdown, block by block, with what is inline in `children`."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def inline(text: str) -> Iterator[Token]:
    return itertools.chain.from_iterable(token.children or [token] for token in tokens(text))


def links(text: str) -> Iterator[str]:
    """Everything that `text` points to, in Markdown and in HTML."""
    for token in inline(text):
        target = token.attrGet("href") or token.attrGet("src")
        if target:
            yield str(target)
        if token.type in ("html_block", "html_inline"):
            yield from re.findall(r'(?:src|srcset|href)="([^"]+)"', token.content)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of `text`."""
    found: dict[str, int] = {}
    for opened, title in itertools.pairwise(tokens(text)):
        if opened.type != "heading_open":
            continue
        words = "".join(
            child.content for child in title.children or [] if child.type in ("text", "code_inline")
        )
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
        if found[anchor]:
            found[f"{anchor}-{found[anchor]}"] = 0
    return set(found)


def broken(path: Path) -> list[str]:
    """The links in a document that lead nowhere in the repository."""
    wrong = []
    for link in links(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            wrong.append(link)
    return wrong


def blocks(text: str) -> Iterator[Block]:
    before = ""
    for token in tokens(text):
        if token.type == "heading_open":
            before = ""
        elif token.type == "inline":
            before += token.content + "\n"
        elif token.type == "fence" and token.info == "sh":
            yield Block(tuple(token.content.splitlines()), before)


def command(line: str) -> str:
    """What a line of a block runs, without arguments; empty when it is a comment alone."""
    words = shlex.split(line, comments=True)
    if words and re.fullmatch(r"(?:\S*/)?python3?", words[0]):
        if words[1] != "-m":
            return words[1]
        words = words[2:4]
    names = itertools.takewhile(re.compile(r"[a-z][a-z_-]*").fullmatch, words)
    return " ".join(names)


@pytest.fixture(scope="module")
def readmes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every README that a product can have, in its repository, with its other documents."""
    made: dict[tuple[str, ...], Path] = {}
    for kind, platform, ci, project in itertools.product(
        KINDS, CHOICES["platform"], CHOICES["ci"], ("my-project-id", "my-platform-project")
    ):
        product = bake(
            tmp_path_factory.mktemp("product"),
            function_kind=kind,
            platform=platform,
            ci=ci,
            platform_project_id=project,
        )
        made[tuple(product.read(name) for name in PRODUCT_DOCUMENTS)] = product.path
    return [folder / name for folder in made.values() for name in PRODUCT_DOCUMENTS]


# --- links ---


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    assert broken(path) == []


def test_a_link_that_leads_nowhere_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Once\n\n## What `code` is: *this*?\n\n## Once\n\n"
        "[a](#what-code-is-this) [b](#once-1) [c](page.md#once) [d](https://example.com/#x)\n"
        "[e](#twice) [f](other.md) [g](page.md#what-code)\n\n"
        '<picture><source srcset="dark.svg"><img src="page.md" alt=""></picture>\n',
        encoding="utf-8",
    )
    assert broken(page) == ["#twice", "other.md", "page.md#what-code", "dark.svg"]


def test_every_link_of_a_products_readme_leads_somewhere(readmes: list[Path]) -> None:
    assert [link for path in readmes for link in broken(path)] == []


def documents_named(files: dict[str, bytes]) -> set[str]:
    """Return the documents that `files` name, those in Markdown apart, whose links are checked."""
    texts = [content.decode() for name, content in files.items() if not name.endswith(".md")]
    return {name for text in texts for name in re.findall(r"[\w./-]+\.md\b", text)}


def test_every_document_that_a_products_file_names_is_in_the_product(tmp_path: Path) -> None:
    for ci in CHOICES["ci"]:
        folder = tmp_path / ci
        folder.mkdir()
        files = bake(folder, ci=ci).files()
        assert {"docs/operations.md", "README.md"} <= documents_named(files) <= set(files)
    assert documents_named({"a.py": b"# see docs/other.md", "b.md": b"c.md"}) == {"docs/other.md"}


# --- the documents in Japanese ---


def typed_commands(text: str) -> list[str]:
    """Return the commands in the blocks of `text`, without their comments."""
    lines = (line for block in blocks(text) for line in block.lines)
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def leads_to(text: str) -> set[str]:
    """What `text` points to besides itself in another language."""
    return {link for link in links(text) if not re.match(r"README(\.ja)?\.md\b", link)}


def test_the_readme_in_japanese_tells_and_shows_the_same_as_in_english() -> None:
    english, japanese = (
        (TEMPLATE / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md")
    )
    assert typed_commands(japanese) == typed_commands(english)
    assert leads_to(japanese) == leads_to(english)
    assert "README.md" in links(japanese)
    assert "README.ja.md" in links(english)
    assert {"docs/architecture.svg", "docs/demo.svg", "LICENSE"} <= leads_to(english)


def questions_of(text: str) -> dict[str, str]:
    """Return what the rows of the tables in `text` say, by the question that they begin with."""
    return dict(re.findall(r"(?m)^\| `([a-z_]+)` \| (.+) \|$", text))


def test_the_readme_in_japanese_explains_every_question_and_choice() -> None:
    explained = questions_of((TEMPLATE / "README.ja.md").read_text(encoding="utf-8"))
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    assert list(explained) == [name for name in asked if not name.startswith("_")]
    for name, choices in CHOICES.items():
        assert set(re.findall(r"`([^`]+)`", explained[name])) == set(choices), name
    assert questions_of("| `a_b` | c |\n| d | e |\n") == {"a_b": "c"}


def too_long(paths: Iterable[Path], most: int) -> list[str]:
    """Return the name and the lines of each of `paths` that has more than `most` lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return [f"{path.name}: {number}" for path, number in lines.items() if number > most]


def test_no_readme_is_longer_than_a_few_screens(readmes: list[Path]) -> None:
    products = [path for path in readmes if path.name == "README.md"]
    guides = [path for path in readmes if path.name == "README.ja.md"]
    assert too_long([TEMPLATE / "README.md"], MOST_LINES) == []
    assert too_long([TEMPLATE / "README.ja.md"], MOST_LINES_IN_JAPANESE) == []
    assert too_long(products, MOST_LINES_OF_PRODUCT) == []
    assert too_long(guides, MOST_LINES_OF_GUIDE) == []
    answers = itertools.product(KINDS, CHOICES["platform"], CHOICES["ci"])
    assert len({path.parent for path in products}) >= len(list(answers))


def test_a_readme_that_is_too_long_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("a\n" * 80, encoding="utf-8")
    assert too_long([page], 80) == []
    assert too_long([page], 79) == ["README.md: 80"]


def test_an_update_renews_what_explains_operations_and_leaves_the_readme(tmp_path: Path) -> None:
    skipped = tomllib.loads(bake(tmp_path).read("pyproject.toml"))["tool"]["cruft"]["skip"]
    assert "README.md" in skipped
    assert {"docs", "docs/operations.md"}.isdisjoint(skipped)


def test_a_readme_that_tells_something_else_would_be_noticed() -> None:
    text = "[a](README.md#x) [b](b.md)\n\n```sh\nmake test    # 試す\n# 注\nmake lint\n```\n"
    assert typed_commands(text) == ["make test", "make lint"]
    assert typed_commands(text) == typed_commands(text.replace("# 試す", "# try"))
    assert typed_commands(text) != typed_commands(text.replace("make lint", "make hint"))
    assert leads_to(text) == {"b.md"}
    assert leads_to(text) != leads_to(text.replace("b.md", "c.md"))


def test_the_guide_in_japanese_names_what_every_product_has(readmes: list[Path]) -> None:
    guides = [path for path in readmes if path.name == "README.ja.md"]
    (text,) = {path.read_text(encoding="utf-8") for path in guides}  # whatever was answered
    assert {"test", "deploy", "doctor", "upgrade"} <= advised(text)
    for path in guides:
        assert advised(text) <= targets(path.with_name("Makefile"))
        assert "README.ja.md" in links(path.with_name("README.md").read_text(encoding="utf-8"))
    assert not advised("`make coffee`を実行します") <= targets(guides[0].with_name("Makefile"))


def names_of_roles(text: str) -> set[str]:
    """Return the roles that the code in `text` names, without `roles/`."""
    code = (token.content for token in inline(text) if token.type == "code_inline")
    roles = (re.fullmatch(r"(?:roles/)?([a-z]+\.[a-zA-Z]+)", each) for each in code)
    return {role[1] for role in roles if role}


def section(text: str, title: str) -> str:
    """Return what stands under the heading `## title`."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_guide_in_japanese_names_every_role_and_only_settings_that_exist(
    readmes: list[Path],
) -> None:
    english = [path.read_text(encoding="utf-8") for path in readmes if path.name == "operations.md"]
    guide = (PRODUCT / "README.ja.md").read_text(encoding="utf-8")
    roles = set().union(*(names_of_roles(section(text, "Roles")) for text in english))
    assert {"eventarc.admin", "monitoring.notificationChannelEditor", "dns.admin"} <= roles
    assert roles <= names_of_roles(section(guide, "必要なロール"))
    settings = set(re.findall(r"SNMP_[A-Z_]+", "".join(english)))
    assert "SNMP_RECEIVERS" in (named := set(re.findall(r"SNMP_[A-Z_]+", guide)))
    assert named <= settings
    assert names_of_roles("`roles/a.bC`, `d.e` and f.g, `h.i_j`") == {"a.bC", "d.e"}


# --- commands ---


def test_every_command_of_the_documents_is_run_by_a_test(readmes: list[Path]) -> None:
    typed = {
        name
        for path in [*DOCUMENTS, *readmes]
        for block in blocks(path.read_text(encoding="utf-8"))
        for name in block.commands()
    }
    assert typed - set(COMMANDS) == set(), "in a document, but not in COMMANDS"
    assert set(COMMANDS) - typed == set(), "in COMMANDS, but in no document"


def test_what_needs_a_cloud_account_says_so(readmes: list[Path]) -> None:
    silent = {
        path
        for path in [*DOCUMENTS, *readmes]
        for block in blocks(path.read_text(encoding="utf-8"))
        if not block.says_so() and any(COMMANDS.get(each) == CLOUD for each in block.commands())
    }
    assert silent == set()


def unsaid(name: str, test: str, sources: dict[str, Source]) -> set[str]:
    """Return what a test that runs the command `name` would say, and `test` does not."""
    said = said_by(test, sources)
    if test in OF_DOCUMENT:
        page = TEMPLATE / OF_DOCUMENT[test]
        typed = {each for block in blocks(page.read_text("utf-8")) for each in block.commands()}
        return ({page.name} - {Path(word).name for word in said}) | ({name} - typed)
    # `make demo` is a rehearsal, as a test below shows; the installed command is the module's.
    words = name.replace("make demo", "rehearse").replace("closed-network", "closed_network")
    return set(words.split()) - said


def test_every_test_that_is_said_to_run_a_command_says_its_words() -> None:
    sources = read_sources(TEMPLATE / "tests")
    tested = {name: test for name, test in COMMANDS.items() if test != CLOUD}
    assert len(tested) > 20
    assert set(OF_DOCUMENT) <= set(tested.values())
    silent = {
        name: missing for name, test in tested.items() if (missing := unsaid(name, test, sources))
    }
    assert silent == {}


def test_a_test_that_does_not_run_a_command_would_be_noticed() -> None:
    sources = read_sources(TEMPLATE / "tests")
    another = test_no_readme_is_longer_than_a_few_screens.__name__
    assert said_by(another, sources) & {"README.md", "platform"} == {"README.md", "platform"}
    for name, test in COMMANDS.items():
        assert unsaid(name, "test_that_is_not_there", sources)
        assert unsaid(name, another, sources)
        assert test == CLOUD or not unsaid(name, test, sources)


SAYING = """
from tests.support.helper import helped

WORDS = ["in a constant"]


def fixture():
    return run("in a fixture")


def test_one(fixture):
    '''No words of a text that tells about it.'''
    run(WORDS, f"{fixture} formatted")
    helped()
    assert done == "compared"


def test_two():
    run("by another")
"""


def test_what_a_test_says_is_what_it_and_its_helpers_hand_over(tmp_path: Path) -> None:
    support = tmp_path / "tests/support"
    support.mkdir(parents=True)
    (tmp_path / "tests/test_a.py").write_text(SAYING, encoding="utf-8")
    (support / "helper.py").write_text(
        "def helped():\n    run('of a helper')\n\ndef other():\n    run('unused')\n",
        encoding="utf-8",
    )
    sources = read_sources(tmp_path / "tests")
    said = set("in a constant fixture formatted of helper".split())
    assert said_by("test_one", sources) == said
    assert said_by("test_two", sources) == {"by", "another"}
    assert said_by("test_three", sources) == set()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("make run      # serve", "make run"),
        ("make explain BUILD=ID", "make explain"),
        (
            ".venv/bin/python -m closed_network rehearse PATH [--report F]",
            "closed_network rehearse",
        ),
        ("cruft create https://example.com/x  # later", "cruft create"),
        ("python3 -m closed_function with-index make test lint", "closed_function with-index"),
        ("# fill in something", ""),
        ("gcloud services enable a.googleapis.com --project=p", "gcloud services enable"),
    ],
)
def test_a_command_is_known_without_its_arguments(line: str, name: str) -> None:
    assert command(line) == name


def test_a_command_that_nobody_runs_would_be_noticed() -> None:
    (block,) = blocks("# A\n\nText.\n\n```sh\nmake coffee\nmake test\n```\n\n```json\n{}\n```\n")
    assert [name for name in block.commands() if name not in COMMANDS] == ["make coffee"]
    assert not block.says_so()
    (marked,) = blocks("With a cloud\naccount:\n\n```sh\nmake test\n```\n")
    assert marked.says_so()
    (marked,) = blocks("Google\nCloud アカウントが必要です。\n\n```sh\nmake test\n```\n")
    assert marked.says_so()


def targets(makefile: Path) -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", makefile.read_text(encoding="utf-8"), re.MULTILINE))


def advised(text: str) -> set[str]:
    """The targets of make that `text` names, in code."""
    code = [token.content for token in inline(text) if token.type == "code_inline"]
    code += [name for block in blocks(text) for name in block.commands()]
    return {found[1] for each in code if (found := re.match(r"make ([a-z][a-z-]*)", each))}


def test_make_knows_every_target_that_a_document_names(readmes: list[Path]) -> None:
    ours, products = targets(TEMPLATE / "Makefile"), targets(PRODUCT / "Makefile")
    of_ours = set().union(*(advised(path.read_text(encoding="utf-8")) for path in DOCUMENTS))
    of_products = set().union(*(advised(path.read_text(encoding="utf-8")) for path in readmes))
    assert {"demo", "docs", "deploy"} <= of_ours <= ours | products
    assert {"doctor", "lock"} <= of_products <= products
    assert advised("`make coffee` and make tea") == {"coffee"}


def what_make_would_do(*arguments: str) -> str:
    """What the template's Makefile would run, its environments being there."""
    make = need(shutil.which("make"), "make")
    there = ["--assume-old=.venv/ready", "--assume-old=.venv-tools/ready"]
    done = subprocess.run(
        [make, "--dry-run", *there, *arguments],
        cwd=TEMPLATE,
        env=make_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_make_demo_rehearses_the_default_repository() -> None:
    done = what_make_would_do("demo", "REPORT=found.json")
    assert "cookiecutter --no-input --default-config " in done
    assert '-m closed_network rehearse "$folder/alert-to-snmp" --deploy' in done


def test_make_test_fast_runs_what_make_test_runs_but_for_the_slow() -> None:
    every, fast = what_make_would_do("test"), what_make_would_do("test-fast")
    assert " -m pytest " in every
    assert fast == every.rstrip("\n") + ' -m "not slow"\n'


def test_what_the_page_of_answers_tells_to_type_bakes_the_answers(
    template_repository: Path, tmp_path: Path
) -> None:
    programs = [Path(need(shutil.which(name), name)) for name in ("jq", "git")]
    path = [Path(sys.executable), *programs, Path(need(shutil.which("sh"), "sh"))]
    text = (TEMPLATE / "docs" / "answers.md").read_text(encoding="utf-8")
    (block,) = blocks(text)
    ways = "\n".join(block.lines).replace("TEMPLATE", str(template_repository)).split("\n\n")
    assert len(ways) == 3
    expected = bake(tmp_path / "expected", **COMPLETE).files()
    for number, way in enumerate(ways):
        folder = tmp_path / str(number)
        folder.mkdir()
        answers = json.dumps(COMPLETE, ensure_ascii=False)
        (folder / "answers.json").write_text(answers, encoding="utf-8")
        done = subprocess.run(
            ["sh", "-e", "-c", way],
            cwd=folder,
            env=bare_environment(folder, PATH=":".join(str(each.parent) for each in path)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = Baked(folder / str(COMPLETE["project_slug"])).files()
        found.pop(".cruft.json", None)
        assert found == expected, way


@pytest.mark.slow
@pytest.mark.parametrize("program", ["uvx cruft", "uvx cookiecutter", "pipx"])
def test_a_command_of_the_readme_bakes_the_template(
    program: str, template_repository: Path, tmp_path: Path
) -> None:
    # Of the index that pip is told about.
    environment = uv_environment()
    text = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    (line,) = [
        line for block in blocks(text) for line in block.lines if line.startswith(f"{program} ")
    ]
    address = re.compile(r"(?:gh:|https://github\.com/)ORG/TEMPLATE")
    words = [address.sub(str(template_repository), word) for word in shlex.split(line)]
    assert str(template_repository) in words
    uvx = str(Path(sys.executable).with_name("uvx"))
    # What brings pipx is not what is tried here.
    started = [uvx, "pipx"] if program == "pipx" else [uvx]
    done = subprocess.run(
        [*started, *words[1:], "--no-input"],
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    product = Baked(tmp_path / "alert-to-snmp")
    assert json.loads(product.read(".cruft.json"))["template"] == str(template_repository)


def test_the_readme_recommends_what_always_knows_the_template_first() -> None:
    text = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    first = next(block for block in blocks(text) if "uvx cookiecutter" in block.commands())
    assert first.commands()[:2] == ["uvx cruft create", "uvx cookiecutter"]


# --- pictures ---

ARCHITECTURE = TEMPLATE / "docs" / "architecture.svg"


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own


def test_the_picture_names_what_a_product_uses(tmp_path: Path) -> None:
    product = bake(tmp_path)
    handed = json.loads(product.read("terraform/function/platform.auto.tfvars.json"))["platform"]
    drawn = list(parsed(ARCHITECTURE.read_text(encoding="utf-8")).itertext())
    for piece in ("worker_pool", "python_repository", "docker_repository", "network"):
        assert handed[piece].rsplit("/", 1)[-1] in drawn, piece
    index = handed["python_index_url"].replace(handed["region"], "REGION")
    assert index.replace(handed["project_id"], "PROJECT") in drawn
    (switch,) = [text.split() for text in drawn if text.startswith("gcloud ")]
    tool = product.read("closed_function/commands/switch.py")
    assert all(f'"{word}"' in tool for word in switch[1:-1])
    (restricted,) = [text.split()[-1] for text in drawn if text.startswith("restricts ")]
    assert f'"{restricted}"' in product.read("terraform/platform/variables.tf")


@pytest.mark.parametrize("name", ["architecture.svg", "demo.svg"])
def test_a_picture_needs_nothing_from_elsewhere_and_says_what_it_shows(name: str) -> None:
    text = (TEMPLATE / "docs" / name).read_text(encoding="utf-8")
    namespace = "http://www.w3.org/2000/svg"
    assert re.findall(r'="(\w+:[^"]*)"', text) == [namespace]
    assert not re.search(r"<image|<script|<foreignObject|@import|@font-face|href|url\((?!#)", text)
    root = parsed(text)
    assert root.get("role") == "img"
    labels = [
        root.find(f".//*[@id='{label}']") for label in root.get("aria-labelledby", "").split()
    ]
    assert labels
    assert all(label is not None and label.text for label in labels)
    assert labels[0] is root.find(f"{{{namespace}}}title")


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_what_the_picture_says_can_be_read(scheme: int) -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    blocks = re.findall(r"svg \{\n([^{}]+)\}", text)
    colours = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    assert "(prefers-color-scheme: dark)" in text
    assert colours[0].keys() == colours[1].keys() == set(re.findall(r"var\(--([a-z-]+)\)", text))
    of = colours[scheme]
    for ground in (of["page"], of["inside"], of["box"]):
        for ink in (of["text"], of["faint"], of["edge"]):
            assert contrast(ink, ground) >= 4.5
        for ink in (of["build"], of["run"]):
            assert contrast(ink, ground) >= 3
    assert contrast(of["on-edge"], of["edge"]) >= 4.5
    assert contrast("#777777", "#888888") < 3


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# --- the recorded demo ---


def test_the_recorded_demo_is_drawn_as_it_was_kept() -> None:
    assert demo.PICTURE.read_bytes() == demo.drawing().encode(), "run `make docs`"


def test_the_recorded_demo_passed_and_tells_nothing_of_the_machine() -> None:
    kept = json.loads(demo.KEPT.read_text(encoding="utf-8"))
    assert kept["result"] == "passed"
    assert {check["result"] for check in kept["checks"]} == {"ok"}
    assert kept["repository"] == "alert-to-snmp"
    assert kept["seconds"] == {}
    assert not re.search(r"/(tmp|home|root|work|Users|var)/", json.dumps(kept))


def test_the_recorded_demo_shows_what_a_rehearsal_shows() -> None:
    modules = (TEMPLATE / "closed_network" / "stages").glob("*.py")
    stages = "".join(module.read_text(encoding="utf-8") for module in modules)
    claims = {
        check["claim"] for check in json.loads(demo.KEPT.read_text(encoding="utf-8"))["checks"]
    }
    of_every_rehearsal = {
        claim
        for claim in re.findall(r'\.proven\(\s*"([^"]+)"', stages)
        if claim != "the lock has files for the runtime"  # where the runtime is missing
    }
    assert len(of_every_rehearsal) > 8
    assert of_every_rehearsal <= claims, "record it again: make demo RECORD=1"
