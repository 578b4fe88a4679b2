"""The page that a rehearsal writes says in a real browser what was found, and does nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from closed_network import diagnosis, lock
from closed_network.clients import Machine
from closed_network.evidence import page
from closed_network.journal import Request
from closed_network.report import CONTROLS, Check, Command, Report, ServedFile, StageFailedError
from closed_network.repository import read_repository
from closed_network.stages.__main__ import without_secret
from closed_network.stages.build import compare_with_the_lock
from closed_network.stages.run import Run
from tests.support.baking import bake
from tests.support.chromium import Tab, chromium, find_chromium
from tests.support.machine import need
from tests.support.rehearsals import INDEX_HOST, INDEX_LINE, rehearse

BEGAN = 1_790_000_000.0
DIGEST = hashlib.sha256(b"the bytes of idna").hexdigest()
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
HOSTILE = "</td></table><script>fetch('/x')</script><img src=/x.png onerror=alert(1)>\"'{{ 7*7 }}"
LONG = "a" * 300


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    program = need(find_chromium(), "Chromium")
    with chromium(program, tmp_path_factory.mktemp("chromium")) as running:
        yield running


def asked(host: str, after: float, status: int = 200, *, refused: bool = False) -> Request:
    path = "/p/r/simple/idna/idna-3.20-py3-none-any.whl"
    return Request(host, "GET", path, status, 17, refused, "pip/26.3", DIGEST, BEGAN + after)


def found(**changes: Any) -> Report:  # noqa: ANN401 - a field's own type
    """What a rehearsal that passed has found, with `changes`."""
    report = Report("/home/me/orders", isolation="enforced: so and so", index=INDEX_LINE.split()[1])
    report.purposes = {
        "0 copy": "The source is copied.",
        CONTROLS: "The gate refuses.",
        "2 denied": "pip fails.",
        "4 build": "pip succeeds.",
    }
    report.began = {name: BEGAN + 2 * n for n, name in enumerate(report.purposes)}
    report.seconds = dict.fromkeys(report.purposes, 2.0)
    report.journal = {
        CONTROLS: [asked("example.com", 2.5, 403, refused=True), asked(INDEX_HOST, 3)],
        "2 denied": [asked(INDEX_HOST, 5, 403)],
        "4 build": [asked(INDEX_HOST, 6.5), asked(INDEX_HOST, 7.5)],
    }
    report.requests = {INDEX_HOST: 3}
    for name in report.purposes:
        report.stage_name = name
        report.proven(f"the claim of {name}", f"the evidence of {name}")
    environment = {"HOME": "/run/home", "HTTPS_PROXY": "http://127.0.0.1:1", "PIP_CERT": "/ca"}
    pip = ["python3", "-m", "pip", "install", "a b"]
    trapd = Command("4 build", ["snmptrapd"], {"MIBS": ""}, "/run/snmp", BEGAN + 7, 0.5)
    report.commands = [
        Command("2 denied", pip, environment, "/run/source", BEGAN + 4, 1.5, 1),
        Command("4 build", pip, {**environment, "MORE": "1"}, "/run/source", BEGAN + 6, 1, 0),
        trapd,
    ]
    report.files = [
        ServedFile("idna", "3.20", "idna-3.20-py3-none-any.whl", DIGEST, 17, in_lock=True)
    ]
    report.packages, report.bytes, report.complete = 1, 34, True
    report.lock, report.platform = "0" * 64, "Linux-6"
    report.versions = {"pip": "26.3", "Python": "3.13.5"}
    report.differences = ["Google Cloud was not asked"]
    return replace(report, **changes)


def tables(tab: Tab, section: str) -> list[list[str]]:
    """The rows below the heading `section`, each the words of its cells as they are rendered."""
    rows = f"document.getElementById('{section}').parentElement.querySelectorAll('tr')"
    cells = "Array.from(row.cells, cell => cell.innerText.replace(/\\s+/g, ' ').trim())"
    tab.evaluate(OPEN_ALL)
    return [list(map(str, row)) for row in tab.evaluate(f"Array.from({rows}, row => {cells})")]


def show(tab: Tab, folder: Path, content: str) -> None:
    file = folder / "page.html"
    file.write_text(content, encoding="utf-8")
    tab.show(width=1280)
    tab.open(file)


def text(tab: Tab, selector: str) -> str:
    return str(tab.evaluate(f"document.querySelector({selector!r}).innerText"))


def test_the_page_says_what_the_report_says(tab: Tab, tmp_path: Path) -> None:
    show(tab, tmp_path, page(found()))
    assert tab.asked == [(tmp_path / "page.html").as_uri()]
    assert tab.complaints == []
    assert text(tab, "h1") == "orders"
    assert text(tab, ".verdict").startswith("PASSED: the build requested only Artifact Registry")
    facts = text(tab, "dl")
    for fact in ("/home/me/orders", "2026-09-21 14:13:20 UTC, 8.0 s", INDEX_LINE.split()[1]):
        assert fact in facts
    assert "only what the rehearsal itself requests on purpose" in facts

    stages = tables(tab, "stages")
    for name, purpose in found().purposes.items():
        heading = stages.index([f"{name} ok {purpose}"])
        assert stages[heading + 1] == [f"the claim of {name}", "ok", f"the evidence of {name}"]
    clients, on_purpose = tables(tab, "hosts")[1:2], tables(tab, "hosts")[3:]
    assert clients == [[INDEX_HOST, "3", "200: 2, 403: 1", "0"]]
    assert on_purpose == [[INDEX_HOST, "1", "200: 1", "0"], ["example.com", "1", "403: 1", "1"]]
    name = "idna-3.20-py3-none-any.whl"
    assert tables(tab, "packages")[1:] == [["idna 3.20", f"{name} {DIGEST}", "17 B", "equal"]]
    assert "equal for 1 of 1 files" in text(tab, "section[aria-labelledby=packages]")
    assert ["Python", "3.13.5"] in tables(tab, "programs")
    assert "Google Cloud was not asked" in text(tab, "section[aria-labelledby=differences]")
    url = f"GET {INDEX_HOST}/p/r/simple/idna/{name}"
    assert ["7.50 s", url, "200", "17 B"] in tables(tab, "requests")
    assert ["2.50 s", url.replace(INDEX_HOST, "example.com"), "403, refused", "17 B"] in tables(
        tab, "requests"
    )


def test_the_commands_are_shown_with_all_of_their_variables(tab: Tab, tmp_path: Path) -> None:
    show(tab, tmp_path, page(found()))
    rows = tables(tab, "commands")
    shared = ["HOME", "/run/home"], ["HTTPS_PROXY", "http://127.0.0.1:1"], ["PIP_CERT", "/ca"]
    heading = ["Variable", "Value"]
    # What all clients of the gate share, once; the second command's own; all of the receiver's.
    assert rows == [heading, *shared, heading, ["MORE", "1"], heading, ["MIBS", ""]]
    section = text(tab, "section[aria-labelledby=commands]")
    assert section.count("python3 -m pip install 'a b'") == 2
    for words in (
        "Command 1 of stage 2 denied, after 4.0 s, for 1.5 s, exit status 1",
        "Command 3 of stage 4 build, after 7.0 s, for 0.5 s, ended by the rehearsal",
        "Folder and 1 variables instead of those above",
    ):
        assert words in " ".join(section.split())


@pytest.mark.parametrize(
    ("kind", "verdict", "counted"),
    [
        ("ok", "PASSED", "4 of 4 claims shown."),
        ("unproven", "Passed; NOT PROVEN", "4 of 5 claims shown, 1 not proven."),
        ("failed", "FAILED at stage 2 denied.", "2 of 3 claims shown, 1 failed."),
    ],
)
def test_the_verdict_tells_passed_from_not_proven_and_from_failed(
    kind: str, verdict: str, counted: str, tab: Tab, tmp_path: Path
) -> None:
    report = found()
    if kind == "unproven":
        report.not_proven("a claim", "no client")
    if kind == "failed":
        report = found(checks=found().checks[:2], complete=False)
        del report.began["4 build"], report.seconds["4 build"], report.seconds["2 denied"]
        report.refused = {"example.com": 2}
        with pytest.raises(StageFailedError), report.stage("2 denied"):
            raise StageFailedError("pip asked elsewhere")
        report.began["2 denied"] = BEGAN + 4
    show(tab, tmp_path, page(report))
    assert text(tab, ".verdict").startswith(verdict)
    assert counted in text(tab, ".verdict")
    assert ("pip asked elsewhere" in text(tab, ".verdict")) is (kind == "failed")
    assert tab.evaluate("document.querySelector('.verdict').className") == f"verdict {kind}"
    assert ("example.com: 2" in text(tab, "dl")) is (kind == "failed")
    stages = tables(tab, "stages")
    assert (["4 build not run pip succeeds."] in stages) is (kind == "failed")
    assert (["4 build NOT PROVEN pip succeeds."] in stages) is (kind == "unproven")
    assert (["what went wrong", "FAILED", "pip asked elsewhere"] in stages) is (kind == "failed")
    lanes = tab.evaluate("Array.from(document.querySelectorAll('.lane'), l => l.ariaLabel)")
    assert ("4 build did not run" in lanes) is (kind == "failed")


def hostile(value: Any, words: str) -> Any:  # noqa: ANN401 - any part of a report
    """`value` with `words` behind every text in it but the results of checks."""
    if isinstance(value, str):
        return value + words
    if isinstance(value, list):
        return [hostile(each, words) for each in value]
    if isinstance(value, dict):
        return {hostile(key, words): hostile(each, words) for key, each in value.items()}
    if isinstance(value, (Check, Command, Report, Request, ServedFile)):
        parts = {name: hostile(part, words) for name, part in vars(value).items()}
        return replace(value, **{name: part for name, part in parts.items() if name != "result"})
    return value


TAGS = "Array.from(new Set(Array.from(document.querySelectorAll('*'), e => e.tagName))).sort()"


def test_no_text_of_the_report_becomes_markup(tab: Tab, tmp_path: Path) -> None:
    show(tab, tmp_path, page(found()))
    tags = tab.evaluate(TAGS)
    report = hostile(found(), HOSTILE)
    content = page(report)
    show(tab, tmp_path, content)
    assert (tab.evaluate(TAGS), tab.complaints, len(tab.asked)) == (tags, [], 1)
    everything = tab.evaluate("document.body.textContent")
    (file,), command, check = report.files, report.commands[0], report.checks[0]
    texts = [report.repository, report.index, report.isolation, *report.versions]
    texts += [*report.differences, *report.purposes, *report.purposes.values(), command.folder]
    texts += [*command.environment, *command.environment.values(), check.claim, check.evidence]
    texts += [file.package, file.version, file.file, report.journal[f"4 build{HOSTILE}"][0].host]
    assert [words for words in texts if words not in everything] == []

    # The same page with that text as markup is noticed, and its own policy stops it.
    escaped = "&lt;img src=/x.png onerror=alert(1)&gt;"
    show(tab, tmp_path, content.replace(escaped, "<img src=/x.png onerror=alert(1)>", 1))
    assert "IMG" in tab.evaluate(TAGS)
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


def test_the_browser_of_these_tests_sees_what_a_page_asks_for(tab: Tab, tmp_path: Path) -> None:
    show(tab, tmp_path, "<!DOCTYPE html><img src=http://example.com/x.png><script>oops()</script>")
    assert "http://example.com/x.png" in tab.asked
    assert any("oops is not defined" in complaint for complaint in tab.complaints)


def test_what_would_hide_or_reorder_text_is_shown_by_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = found(
        repository="/home/me/or\u202eders\x1b[31m\udcff", isolation="\U0001f469\u200d\U0001f4bb"
    )
    html = page(report)
    assert "or\\u202eders\\x1b[31m\\udcff" in html
    assert "\U0001f469\u200d\U0001f4bb" in html
    assert not re.search("[\u202e\x1b\udcff]", html)
    report.print()
    printed = capsys.readouterr().out
    assert "Rehearsal of /home/me/or\\u202eders\\x1b[31m\\udcff" in printed


# What sticks out of the page, or whose content sticks out of it.
OVERFLOW = """
Array.from(document.querySelectorAll('body *')).filter(one => {
  const box = one.getBoundingClientRect();
  return box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5
    || (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display != 'inline');
}).map(one => one.outerHTML.slice(0, 200))
"""


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (1280, "screen"), (680, "print")])
def test_nothing_overflows(width: int, media: str, tab: Tab, tmp_path: Path) -> None:
    for report in (found(), hostile(found(), LONG)):
        show(tab, tmp_path, page(report))
        tab.show(width=width, media=media)
        tab.evaluate(OPEN_ALL)
        assert tab.evaluate(OVERFLOW) == []
        assert tab.evaluate("document.documentElement.scrollWidth") == width
    show(tab, tmp_path, page(report).replace("overflow-wrap: anywhere", ""))
    tab.show(width=width, media=media)
    assert tab.evaluate(OVERFLOW) != []


# The least contrast of any text, after WCAG 2.2's definition, with that text.
CONTRAST = """
(() => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const color = channels(getComputedStyle(one).backgroundColor);
      if (color.length == 3 || color[3] == 1) return color;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = [21, ''];
  for (let node; node = walk.nextNode();) {
    if (!node.data.trim()) continue;
    const pair = [light(channels(getComputedStyle(node.parentElement).color)),
      light(behind(node.parentElement))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < least[0]) least = [ratio, node.data.trim()];
  }
  return least;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_told_from_what_is_behind_it(scheme: str, tab: Tab, tmp_path: Path) -> None:
    report = found()
    report.not_proven("a claim", "no client")
    report.add("a claim", "FAILED", "it broke")
    file = ServedFile("other", "1", "other-1-py3-none-any.whl", DIGEST, 1, in_lock=None)
    report.files += [file, replace(file, package="third", in_lock=False)]
    show(tab, tmp_path, page(report))
    tab.show(width=1280, scheme=scheme)
    paper = tab.evaluate("getComputedStyle(document.documentElement).colorScheme")
    assert paper == scheme
    ratio, words = tab.evaluate(CONTRAST)
    assert ratio >= 4.5, words
    pale = re.sub(r"--muted: #\w{6}", "--muted: #777c82", page(report))
    show(tab, tmp_path, pale.replace("#ffffff", "#d0d0d0").replace("#14171a", "#555555"))
    tab.show(width=1280, scheme=scheme)
    assert tab.evaluate(CONTRAST)[0] < 4.5


def test_a_screen_reader_finds_its_way(tab: Tab, tmp_path: Path) -> None:
    show(tab, tmp_path, page(found()))
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert tab.evaluate("document.title") == "Rehearsal of orders in a closed network"
    script = "Array.from(document.querySelectorAll('h1,h2,h3,h4'), one => +one.tagName[1])"
    levels = tab.evaluate(script)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tables_script = """Array.from(document.querySelectorAll('table'), table => [
        table.caption?.innerText.length > 0,
        Array.from(table.querySelectorAll('th')).every(head => head.scope),
        table.querySelectorAll('thead th').length > 1])"""
    tab.evaluate(OPEN_ALL)
    described = tab.evaluate(tables_script)
    assert len(described) > 8
    assert all(all(each) for each in described)
    targets = "Array.from(document.querySelectorAll('a'), a => !!document.querySelector(a.hash))"
    assert all(tab.evaluate(targets))
    tree = tab.tell("Accessibility.getFullAXTree")["nodes"]
    images = [n["name"]["value"] for n in tree if n.get("role", {}).get("value") == "image"]
    assert images[1] == f"{CONTROLS} began after 2.0 s and took 2.0 s; 2 requests, 1 refused"
    assert len(images) == len(found().purposes)


def test_the_timeline_has_each_request_in_its_stage_at_its_time(tab: Tab, tmp_path: Path) -> None:
    show(tab, tmp_path, page(found()))
    script = """Array.from(document.querySelectorAll('.lane'), lane => [
        Array.from(lane.querySelectorAll('.m-stage'),
            one => [one.x.baseVal.value, one.width.baseVal.value]),
        Array.from(lane.querySelectorAll('line:not(.m-grid)'),
            one => [one.className.baseVal, one.x1.baseVal.value])])"""
    lanes = tab.evaluate(script)
    assert [stages for stages, _ in lanes] == [[[250 * number, 250]] for number in range(4)]
    assert [marks for _, marks in lanes] == [
        [],
        [["m-refused", 312.5], ["m-answered", 375]],
        [["m-denied", 625]],
        [["m-answered", 812.5], ["m-answered", 937.5]],
    ]


# What the page rests on


def locked_line(name: str, *hashes: str) -> dict[str, Any]:
    """What pip reads in a line of a lock."""
    options = {"hashes": {"sha256": list(hashes)}} if hashes else {}
    return {"file": "requirements.txt", "name": name, "options": options}


def test_a_served_file_is_compared_with_the_hashes_of_its_own_package() -> None:
    other = "1" * 64
    locked = lock.hashes_by_package(
        [
            {"file": "requirements.txt", "options": {"index_url": INDEX_LINE}},
            locked_line("Idna", DIGEST),
            locked_line("other", other, "2" * 64),
            locked_line("bare"),
        ]
    )
    assert locked == {"idna": {DIGEST}, "other": {other, "2" * 64}, "bare": set()}
    requests = [
        replace(asked(INDEX_HOST, 0), path=f"/p/r/simple/x/{name}-py3-none-any.whl", sha256=digest)
        for name, digest in (
            ("idna-3.20", DIGEST),
            ("other-1", other),
            ("other-1", DIGEST),
            ("bare-1", DIGEST),
        )
    ]
    files = diagnosis.served_files([*requests, asked(INDEX_HOST, 0, 403)], locked)
    in_lock = {(file.package, file.version, file.sha256): file.in_lock for file in files}
    assert in_lock == {
        ("idna", "3.20", DIGEST): True,
        ("other", "1", other): True,
        ("other", "1", DIGEST): False,
        ("bare", "1", DIGEST): None,
    }


def test_the_report_comes_back_from_its_json_without_the_token() -> None:
    report = found(stage_name="")
    assert Report.from_dict(json.loads(json.dumps(report.as_dict()))) == report
    report.stage_name = "4 build"
    report.proven("the function answers", "its home has a-very-secret-token in it")
    redacted = without_secret(report, "a-very-secret-token")
    assert "a-very-secret-token" in page(report)
    told_page = page(Report.from_dict(json.loads(redacted)))
    assert "secret" not in told_page
    assert "its home has [token] in it" in told_page


def test_a_page_that_cannot_be_written_is_refused_before_the_rehearsal(tmp_path: Path) -> None:
    product = bake(tmp_path, function_kind="http")
    done = rehearse(product.path, tmp_path, "--html", str(tmp_path / "nowhere" / "page.html"))
    assert (done.status, done.output) == (2, "")
    assert "nowhere/page.html" in done.errors


def test_a_file_that_is_not_the_locks_fails_the_stage(tmp_path: Path) -> None:
    repository = read_repository(bake(tmp_path, function_kind="http").path, None, None, None)
    machine, report = Machine(tmp_path, "http://127.0.0.1:1"), Report("here")
    run = Run(repository, machine, report, enclosed=False)
    run.lines = [locked_line("idna", DIGEST)]
    wheel = replace(asked(INDEX_HOST, 0), path="/p/r/idna-3.20-py3-none-any.whl", sha256=DIGEST)

    compare_with_the_lock(run, [wheel])
    assert [file.in_lock for file in report.files] == [True]
    assert report.checks[0].claim == "the files are those of the lock"
    with pytest.raises(StageFailedError, match="no such hash for idna"):
        compare_with_the_lock(run, [replace(wheel, sha256="0" * 64)])
