"""docs/scale.md: its sums are right, and what it says of the template is in the files."""

from __future__ import annotations

import json
import math
import re
from ipaddress import ip_network
from typing import Any

import jinja2
import pytest

from tests.support.stack_settings import declaration, setting, stack_file
from tests.support.template import TEMPLATE

PAGE = (TEMPLATE / "docs" / "scale.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of each row of the table below `heading`, its head first."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    head, _, *rows = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in (head, *rows)]


def number(text: str) -> float:
    """Read a number of the page; in bold it is too much."""
    return float(text.strip("*").replace(",", ""))


def result(formula: str, **values: float) -> float:
    """Compute a formula of the page."""
    expression = re.sub(r"(?<=\d),(?=\d{3})", "", formula).replace("·", "*")
    compiled: Any = jinja2.Environment().compile_expression(expression)  # noqa: S701 - no page
    return float(compiled(min=min, ceil=math.ceil, **values))


def is_right(cell: str, formula: str, **values: float) -> bool:
    """Whether a cell is the formula's result, as exactly as it is written."""
    digits = len(cell.strip("*").partition(".")[2])
    return abs(number(cell) - result(formula, **values)) < 0.5001 * 0.1**digits


def is_bold(cell: str) -> bool:
    return cell.startswith("**")


def test_a_wrong_sum_would_be_noticed() -> None:
    assert is_right("**2,001**", "2 · n + 1", n=1000)
    assert not is_right("**2,002**", "2 · n + 1", n=1000)
    assert is_right("1.46", "3 · 0.00485 · n", n=100)
    assert not is_right("1.44", "3 · 0.00485 · n", n=100)


def test_what_runs_out_is_computed_and_in_bold_beyond_its_limit() -> None:
    head, *rows = table("What runs out")
    assert len(rows) > 8
    for what, formula, *cells, limit, enough in rows:
        for functions, cell in zip(head[2:5], cells, strict=True):
            assert is_right(cell, formula, n=number(functions)), (what, functions)
            assert is_bold(cell) == (number(cell) > number(limit)), (what, functions)
        if enough == "always":
            assert result(formula, n=1e9) <= number(limit), what
        else:
            most = number(enough)
            assert result(formula, n=most) <= number(limit) < result(formula, n=most + 1), what


def test_each_limit_is_googles_or_what_the_subnetwork_has_to_give() -> None:
    allowed = {number(row[0]) for row in table("What Google allows and charges")[1:]}
    rows = table("What runs out")[1:]
    addresses = {number(row[-2]) for row in rows if row[0].startswith("addresses")}
    assert addresses == {taken()["addresses of the subnetwork"] - 4}
    assert {number(row[-2]) for row in rows} - addresses <= allowed


def test_the_subnetworks_are_the_smallest_that_suffice() -> None:
    head, *rows = table("The subnetwork")
    assert rows
    for functions, warm, deployed, size in rows:
        for cell, title in ((warm, head[1]), (deployed, head[2])):
            assert is_right(cell, title.partition(": ")[2], n=number(functions))
        bits = math.ceil(math.log2(number(deployed) + 4))
        assert size == f"/{min(32 - bits, 26)}"


def test_where_the_functions_are_is_computed() -> None:
    head, *rows, limits = table("Where the functions are")
    formula, numbers = head[-1].partition(": ")[2], taken()
    agents, deployers = numbers["service agents of a project"], numbers["deployers"]
    # Each rule has a source and a project. The platform's own build account is in no other project.
    own = deployers + 2 * numbers["ingress rules"] + numbers["services in the ingress rules"]
    other = agents + deployers + 2 * numbers["ingress rules of another project"]
    other += numbers["services in the ingress rules of another project"]
    assert formula == f"2 · b + {agents + other:.0f} · p + {own - other - 1:.0f}"
    assert rows
    for _, projects, builders, accounts, attributes in rows:
        counted, total = accounts.split(" = ")
        assert is_right(total, counted)
        assert is_right(attributes, formula, p=number(projects), b=number(builders))
        assert is_bold(total) == (number(total) > number(limits[3]))
        assert is_bold(attributes) == (number(attributes) > number(limits[4]))
    (most,) = map(number, re.findall(r"A project for each works up to (\d+) functions", PAGE))
    within = [result(formula, p=n + 1, b=n + 1) <= number(limits[4]) for n in (most, most + 1)]
    assert within == [True, False]


def test_a_day_of_deployments_is_computed() -> None:
    head, *rows = table("Deploying everything on one day")
    assert rows
    for builds, *cells in rows:
        for cell, title in zip(cells, head[1:], strict=True):
            assert is_right(cell, title.partition(": ")[2], b=number(builds))


def test_the_bill_is_computed() -> None:
    head, *rows = table("What it costs")
    assert rows
    for what, formula, *cells in rows:
        for functions, cell in zip(head[2:], cells, strict=True):
            assert is_right(cell, formula, n=number(functions)), (what, functions)


# --- what the page says of the template ---


def taken() -> dict[str, float]:
    """What the template takes, by the words before a remark."""
    rows = table("What the template takes")[1:]
    return {re.split(r"[;:,]", what)[0]: number(value) for value, what, _ in rows}


def service_accounts(kind: str, *, own_build_account: bool = False) -> int:
    """How many service accounts a function makes."""
    declared = stack_file("function", "identities.tf")
    made = declared.partition('"google_service_account" "this"')[2].partition("merge(")[2]
    return sum(
        bool(re.search(r'\{ \w+ = "', line))
        and (kind != "http" or "trigger.kind" not in line)
        and (own_build_account or "own_build_account" not in line)
        for line in made.partition("\n  )")[0].splitlines()
    )


def test_what_the_template_takes_is_in_its_files() -> None:
    perimeter = stack_file("platform", "perimeter.tf")
    kind = TEMPLATE / "templates" / "alert-to-snmp"
    rules = perimeter.partition("rules = merge(")[2].partition("\n}\n")[0]
    rules = rules.partition("{ for account in local.ci_service_accounts")[0]  # none by default
    shared = perimeter.partition("build_services = [")[2].partition("]")[0].count('"') // 2
    services = {
        name: [
            shared if found == "local.build_services" else found.count('"') // 2
            for found in re.findall(r"services += (\S+|\[[^]]*\])$", text, re.MULTILINE)
        ]
        for name, text in zip(
            ("own", "others", "deployers"), re.split(r"\{ for id in keys", rules)[:3], strict=True
        )
    }
    own, others = (services[name] + services["deployers"] for name in ("own", "others"))
    (agents,) = re.findall(r"for agent in (\[.*?\])", perimeter)
    (roles,) = re.findall(r"runtime_roles = (\[.*\])", (kind / "kind.jinja").read_text("utf-8"))
    lock = (kind / "function" / "requirements.lock").read_text(encoding="utf-8")
    demo = json.loads((TEMPLATE / "scripts" / "demo.json").read_text(encoding="utf-8"))
    identities, dns = stack_file("platform", "identities.tf"), stack_file("platform", "dns.tf")
    numbers = taken()
    assumed = {name: numbers.pop(name) for name in ("minutes for a build", "deployers")}
    assert len(assumed) == 2
    assert numbers == {
        "service accounts of a function": service_accounts("alert"),
        "service account of an `http` function": service_accounts("http"),
        "service accounts of a function with a build account of its own": service_accounts(
            "alert", own_build_account=True
        ),
        "role of a function in its project": len(json.loads(roles)),
        "roles of the build account in the platform's project": len(
            re.findall(r'"google_project_iam_member" "build_\w+"', identities)
        ),
        "topics of a function with messages": stack_file("function", "trigger.tf").count(
            'resource "google_pubsub_topic" '
        ),
        "instance of a function that waits": float(setting("function", "function.min_instances")),
        "instances of a function": float(setting("function", "function.max_instances")),
        "vCPU of an instance": float(setting("function", "function.available_cpu")),
        "GiB of an instance": float(
            setting("function", "function.available_memory").removesuffix("Mi")
        )
        / 1024,
        "addresses of the subnetwork": addresses("network.subnetwork.ip_cidr_range"),
        "addresses of the pool's range": addresses("pool.ip_cidr_range"),
        "service agents of a project": len(json.loads(agents)),
        "ingress rules": len(own),
        "services in the ingress rules": sum(own),
        "ingress rules of another project": len(others),
        "services in the ingress rules of another project": sum(others),
        "private zones": len(re.findall(r'^    "[a-z.]+" += "', dns, re.MULTILINE)),
        "packages in the lock": len(re.findall(r"^\S+==", lock, re.MULTILINE)),
        "GB of packages": round(demo["bytes"] / 1e9, 4),
    }


def addresses(path: str) -> int:
    return ip_network(setting("platform", path)).num_addresses


def test_every_setting_that_the_page_names_exists_with_the_default_that_it_names() -> None:
    stacks = {"function", "egress", "trigger"}
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`(?: \(([^ )]+)\)| ([0-9]+\b|e2-\w+))?", PAGE)
    assert len({path for path, *_ in named}) > 12
    defaults = 0
    for path, *values in named:
        stack = "function" if path.split(".")[0] in stacks else "platform"
        assert declaration(stack, path)
        if "".join(values) not in ("", "0"):  # 0 is what one sets
            defaults += 1
            assert setting(stack, path) == "".join(values), path
    assert defaults > 4
    with pytest.raises(KeyError):
        declaration("platform", "pool.coffee")
    with pytest.raises(KeyError):
        setting("platform", "functions.projects")  # it has a default, but no plain one
