"""Write docs/scale.md from scripts/scale.md.in: `make docs`.

What a function takes is read from the template's files; what Google allows and charges is in
`FACTS`, with its source.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from scripts.template import DOCUMENTS, ROOT, kind_settings, setting, stack_file

HERE = Path(__file__).resolve().parent
FRAME = HERE / "scale.md.in"
PAGE = DOCUMENTS / "scale.md"
DEMO = HERE / "demo.json"
LOCK = ROOT / "templates" / "alert-to-snmp" / "function" / "requirements.lock"

FUNCTIONS = (10, 100, 1000)
MOST = 100_000  # nobody has more functions
BUILD_MINUTES = 3  # assumed: no build has been timed in Google Cloud
MONTH = 30 * 24 * 3600  # seconds
DEPLOYERS = 2  # assumed: a group of people and the account of their CI


@dataclass(frozen=True)
class Fact:
    """A number of Google's. What `sure` means, the page says."""

    value: float
    what: str
    source: str
    sure: str


FACTS = {
    "accounts": Fact(100, "service accounts in a project", "iam/quotas; more on request", "high"),
    "principals": Fact(
        1500,
        "principals in an allow policy, each counted as often as it stands there",
        "iam/quotas; cannot be raised",
        "high",
    ),
    "services": Fact(
        1000,
        "Cloud Run services in a project and region, functions among them",
        "run/quotas says that it can be raised, functions/quotas that it cannot",
        "high",
    ),
    "vpc_instances": Fact(
        100,
        "instances of a revision with direct VPC egress, 100 to 200 by region",
        "run/quotas; more on request",
        "high",
    ),
    "addresses": Fact(
        2,
        "addresses for each instance; those of a replaced revision for up to 20 minutes more",
        "run/docs/configuring/vpc-direct-vpc; older copies of its best practices say 4",
        "medium",
    ),
    "unusable": Fact(4, "addresses of a subnetwork that nobody gets", "vpc/docs/subnets", "medium"),
    "workers": Fact(
        2,
        "addresses of the pool's range that no worker gets",
        "build/docs/private-pools/private-pool-config-file-schema",
        "high",
    ),
    "queue": Fact(
        360,
        "seconds until a function's build that finds no worker has expired",
        "properties of a real build, published by a third party",
        "medium",
    ),
    "attributes": Fact(
        6000,
        "attributes in a perimeter's rules: identities, sources, projects, methods",
        "vpc-service-controls/quotas",
        "high",
    ),
    "requests": Fact(
        60_000,
        "requests a minute to Artifact Registry in a project and region",
        "artifact-registry/quotas",
        "high",
    ),
    "triggers": Fact(
        500, "Eventarc triggers in a project and location", "eventarc/docs/quotas", "high"
    ),
    "buckets": Fact(
        2, "seconds between two new buckets of a project, about", "storage/quotas", "high"
    ),
    "topics": Fact(
        10_000, "Pub/Sub topics in a project, and as many subscriptions", "not looked up", "low"
    ),
    "writes": Fact(
        50,
        "changes a minute to access policies in an organisation",
        "access-context-manager/quotas",
        "high",
    ),
    "build_price": Fact(
        0.00485,
        "USD for a minute of an e2-medium in a private pool (1 vCPU)",
        "build/pricing, copy of August 2025",
        "high",
    ),
    "idle_cpu": Fact(
        0.0000025,
        "USD for a vCPU-second of an idle instance, tier 1 (Tokyo is)",
        "run/pricing as firebase-tools transcribes it",
        "medium",
    ),
    "idle_memory": Fact(
        0.0000025,
        "USD for a GiB-second of an idle instance, tier 1",
        "run/pricing as firebase-tools transcribes it",
        "medium",
    ),
    "storage": Fact(
        0.10,
        "USD for a GB and month in Artifact Registry, after 0.5 GB",
        "artifact-registry/pricing, copies of several years",
        "medium",
    ),
    "zone": Fact(
        0.20, "USD for a private zone and month", "dns/pricing, copy of September 2026", "medium"
    ),
}


def fact(name: str) -> float:
    return FACTS[name].value


# --- what the template's files say ---


def accounts(kind: str, *, own_build_account: bool = False) -> int:
    """How many service accounts a function makes."""
    resource = stack_file("function", "identities.tf").partition('"google_service_account" "this"')[
        2
    ]
    made = resource.partition("merge(")[2].partition("\n  )")[0].splitlines()
    return sum(
        bool(re.search(r'\{ \w+ = "', line))
        and (kind != "http" or "trigger.kind" not in line)
        and (own_build_account or "own_build_account" not in line)
        for line in made
    )


def roles(*, own_build_account: bool = False) -> int:
    """How often the accounts of an alert-to-snmp stand in its project's allow policy."""
    runtime = len(kind_settings("alert-to-snmp")["runtime_roles"])
    return runtime + (build_roles("function") if own_build_account else 0)


def build_roles(stack: str) -> int:
    """How often a build account that the stack makes stands in its project's allow policy."""
    declared = stack_file(stack, "identities.tf")
    return len(re.findall(r'"google_project_iam_member" "build_\w+"', declared))


def topics() -> int:
    """How many topics a function with messages makes."""
    return stack_file("function", "trigger.tf").count('resource "google_pubsub_topic" ')


def agents() -> int:
    """How many service agents of each project the ingress rules name."""
    (named,) = re.findall(r"for agent in (\[.*?\])", stack_file("platform", "perimeter.tf"))
    return len(json.loads(named))


def rule_services() -> list[int]:
    """How many services, each with every method, each ingress rule is for."""
    rules = stack_file("platform", "perimeter.tf").partition("rules = merge(")[2]
    return [len(json.loads(found)) for found in re.findall(r"services += (\[.*\])", rules)]


def zones() -> int:
    return len(re.findall(r'^    "[a-z.]+" += "', stack_file("platform", "dns.tf"), re.MULTILINE))


def size(path: str) -> int:
    """How many addresses are in a range of the platform's settings."""
    return int(2 ** (32 - prefix(path)))


def prefix(path: str) -> int:
    return int(setting("platform", path).partition("/")[2])


def locked() -> int:
    return len(re.findall(r"^\S+==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))


MIN = int(setting("function", "function.min_instances"))
MAX = int(setting("function", "function.max_instances"))
CPU = float(setting("function", "function.available_cpu"))
MEMORY = int(setting("function", "function.available_memory").removesuffix("Mi")) / 1024
ADDRESSES = size("network.subnetwork.ip_cidr_range") - int(fact("unusable"))
WORKERS = size("pool.ip_cidr_range") - int(fact("workers"))
REQUESTS = 2 * locked()  # a page and a file for each package, as the rehearsal counts
PACKAGES_GB = json.loads(DEMO.read_text(encoding="utf-8"))["bytes"] / 1e9

# --- one project with its own platform, alert-to-snmp, nothing but defaults ---


@dataclass(frozen=True)
class Need:
    """What so many functions need of something that is limited."""

    what: str
    formula: str
    of: Callable[[int], float]
    limit: float

    def most(self) -> int:
        """With how many functions the limit is kept; MOST when it always is."""
        return next((n - 1 for n in range(1, MOST) if self.of(n) > self.limit), MOST)


NEEDS = [
    Need(
        "service accounts",
        f"{accounts('alert')} n + 1",
        lambda n: accounts("alert") * n + 1,
        fact("accounts"),
    ),
    Need(
        "addresses, every function at `min_instances`",
        f"2 · {MIN} n",
        lambda n: fact("addresses") * MIN * n,
        ADDRESSES,
    ),
    Need(
        "addresses, one function at `max_instances`",
        f"2 · ({MAX} + {MIN} (n - 1))",
        lambda n: fact("addresses") * (MAX + MIN * (n - 1)),
        ADDRESSES,
    ),
    Need(
        "addresses, all functions deployed within 20 minutes",
        f"2 · 2 · {MIN} n",
        lambda n: 2 * fact("addresses") * MIN * n,
        ADDRESSES,
    ),
    Need("Cloud Run services", "n", lambda n: n, fact("services")),
    Need(
        "principals in the project's allow policy",
        f"{roles()} n + {build_roles('platform')}",
        lambda n: roles() * n + build_roles("platform"),
        fact("principals"),
    ),
    Need("Eventarc triggers (kind storage)", "n", lambda n: n, fact("triggers")),
    Need(
        "Pub/Sub topics (not http, storage)",
        f"{topics()} n",
        lambda n: topics() * n,
        fact("topics"),
    ),
    Need(
        "requests to Artifact Registry in the minute when all workers begin",
        f"{REQUESTS} · min(n, {WORKERS})",
        lambda n: REQUESTS * min(n, WORKERS),
        fact("requests"),
    ),
]

# --- a thousand functions, spread over projects ---


def attributes(projects: int, build_accounts: int) -> int:
    """Attributes of the platform's three ingress rules.

    Each rule has its identities, one source, every project of the perimeter, and one method for
    each service.
    """
    identities = DEPLOYERS + build_accounts + agents() * projects
    services = rule_services()
    return identities + len(services) * (1 + projects) + sum(services)


@dataclass(frozen=True)
class Layout:
    """`functions` in the platform's project (0 others) or in `others` that share the platform."""

    name: str
    functions: int
    others: int

    @property
    def build_accounts(self) -> int:
        return 1 + (self.functions if self.others else 0)

    @property
    def accounts(self) -> int:
        """In the project that has most."""
        each = accounts("alert", own_build_account=bool(self.others))
        return each * math.ceil(self.functions / (self.others or 1)) + (0 if self.others else 1)

    @property
    def attributes(self) -> int:
        return attributes(1 + self.others, self.build_accounts)

    def fits(self) -> bool:
        # Each build account is in the Python repository's allow policy.
        within = self.build_accounts <= fact("principals")
        return within and self.attributes <= fact("attributes")


def projects_for(functions: int) -> int:
    """In how many other projects so many functions fit without more service accounts."""
    each = int(fact("accounts")) // accounts("alert", own_build_account=True)
    return math.ceil(functions / each)


def most_projects() -> int:
    """For how many functions in a project each one platform suffices."""
    return next(n - 1 for n in range(1, MOST) if not Layout("", n, n).fits())


# --- the page ---


def number(value: float) -> str:
    return f"{value:,.0f}"


def money(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(*heads: str) -> str:
    return f"{row(*heads)}\n{row(*['---'] * len(heads))}"


def marked(value: float, limit: float) -> str:
    """In bold what is too much."""
    return f"**{number(value)}**" if value > limit else number(value)


def prefix_for(addresses: float) -> int:
    """The smallest subnetwork with so many addresses to give."""
    return 32 - math.ceil(math.log2(addresses + fact("unusable")))


def needs() -> Iterator[str]:
    yield table("what", "for n functions", *map(number, FUNCTIONS), "limit", "enough up to")
    for need in NEEDS:
        counts = (marked(need.of(n), need.limit) for n in FUNCTIONS)
        most = need.most()
        enough = "always" if most == MOST else number(most)
        yield row(need.what, need.formula, *counts, number(need.limit), enough)


def ranges() -> Iterator[str]:
    yield table("functions", "warm", "all deployed at once", "`network.subnetwork.ip_cidr_range`")
    for n in FUNCTIONS:
        warm, replaced = fact("addresses") * MIN * n, 2 * fact("addresses") * MIN * n
        wanted = min(prefix_for(replaced), 26)
        yield row(number(n), number(warm), number(replaced), f"/{wanted}")


def layouts() -> Iterator[str]:
    most = max(FUNCTIONS)
    spread = projects_for(most)
    yield table(
        "functions are",
        "service accounts in the fullest project",
        "perimeter attributes",
        "principals at the Python repository",
    )
    for layout in (
        Layout("in the platform's project", most, 0),
        Layout(f"in {spread} other projects", most, spread),
        Layout("in a project each", most, most),
    ):
        yield row(
            layout.name,
            marked(layout.accounts, fact("accounts")),
            marked(layout.attributes, fact("attributes")),
            marked(layout.build_accounts, fact("principals")),
        )
    yield row("*limit*", *(number(fact(name)) for name in ("accounts", "attributes", "principals")))


def rollouts() -> Iterator[str]:
    most = max(FUNCTIONS)
    waves_in_time = math.ceil(fact("queue") / (60 * BUILD_MINUTES))
    yield table("builds at once", "start in one go at most", f"minutes for {number(most)}")
    for builds in (10, 100, WORKERS):
        minutes = math.ceil(most / builds) * BUILD_MINUTES
        yield row(number(builds), number(builds * waves_in_time), number(minutes))


def instance_price() -> float:
    """USD a month for an instance that waits."""
    return MONTH * MIN * (CPU * fact("idle_cpu") + MEMORY * fact("idle_memory"))


def costs() -> Iterator[str]:
    each: Iterable[tuple[str, str, Callable[[int], float]]] = (
        (
            "instances that wait, a month",
            f"n · {MIN} · {MONTH:,} s · ({CPU} vCPU · idle price + {MEMORY} GiB · idle price)",
            lambda n: n * instance_price(),
        ),
        (
            "building all once",
            f"n · {BUILD_MINUTES} min · build price",
            lambda n: n * BUILD_MINUTES * fact("build_price"),
        ),
        (
            "keeping the packages of one version of each image, a month, at most",
            f"n · {PACKAGES_GB:.4f} GB · storage price",
            lambda n: n * PACKAGES_GB * fact("storage"),
        ),
        ("private zones, a month", f"{zones()} · zone price", lambda _: zones() * fact("zone")),
    )
    yield table("USD for", "formula", *map(number, FUNCTIONS))
    for what, formula, price in each:
        yield row(what, formula, *(money(price(n)) for n in FUNCTIONS))


def facts() -> Iterator[str]:
    yield table("number", "what", "source, below cloud.google.com", "sure")
    for known in FACTS.values():
        value = f"{known.value:,.10f}".rstrip("0").rstrip(".")
        yield row(value, known.what, known.source, known.sure)


def page() -> str:
    """The page's text."""
    values = {
        "min": MIN,
        "max": MAX,
        "workers": number(WORKERS),
        "pool": setting("platform", "pool.ip_cidr_range"),
        "subnetwork": setting("platform", "network.subnetwork.ip_cidr_range"),
        "peering": setting("platform", "peering.ip_cidr_range"),
        "pools": size("peering.ip_cidr_range") // size("pool.ip_cidr_range"),
        "addresses": ADDRESSES,
        "accounts": accounts("alert"),
        "http": accounts("http"),
        "own": accounts("alert", own_build_account=True),
        "by_accounts": NEEDS[0].most(),
        "by_peak": NEEDS[2].most(),
        "peak": number(fact("addresses") * MAX),
        "all_accounts": number(NEEDS[0].of(max(FUNCTIONS))),
        "machine": setting("platform", "pool.machine_type"),
        "writes": number(fact("writes")),
        "prefix": min(prefix_for(2 * fact("addresses") * MIN * max(FUNCTIONS)), 26),
        "spread": projects_for(max(FUNCTIONS)),
        "per_project": int(fact("accounts")) // accounts("alert", own_build_account=True),
        "most_projects": number(most_projects()),
        "requests": REQUESTS,
        "share": number(100 * REQUESTS * WORKERS / fact("requests")),
        "bucket_minutes": number(max(FUNCTIONS) * fact("buckets") / 60),
        "member_minutes": number(max(FUNCTIONS) / fact("writes")),
        "minutes": BUILD_MINUTES,
        "queue": number(fact("queue")),
        "price": money(instance_price()),
        "deployers": DEPLOYERS,
        "wait": setting("platform", "waits.perimeter"),
        "needs": "\n".join(needs()),
        "ranges": "\n".join(ranges()),
        "layouts": "\n".join(layouts()),
        "rollouts": "\n".join(rollouts()),
        "costs": "\n".join(costs()),
        "facts": "\n".join(facts()),
    }
    return Template(FRAME.read_text(encoding="utf-8")).substitute(values)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
