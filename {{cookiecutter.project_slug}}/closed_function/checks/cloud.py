"""All checks of what Google Cloud's own answers say."""

from collections.abc import Callable, Iterable, Iterator

from closed_function.checks.alerts import check_alerts
from closed_function.checks.build_account import check_build_account
from closed_function.checks.perimeters import check_perimeters
from closed_function.checks.projects import check_apis, check_caller, check_project
from closed_function.checks.reads import UNKNOWN_FORM, Cloud, settle
from closed_function.checks.repositories import check_docker_repository, check_upstreams
from closed_function.checks.result import UNKNOWN, Result
from closed_function.checks.secrets import check_secrets
from closed_function.checks.worker_pool import check_worker_pool
from closed_function.gcloud.session import Session
from closed_function.redaction import redact
from closed_function.repository import Facts


def check_cloud(facts: Facts, session: Session, timeout: float = 30) -> list[Result]:
    """Return what each check says of Google Cloud, within `timeout` seconds."""
    results = settle(lambda cloud: judge(facts, cloud), session, timeout)
    return [result._replace(seen=redact(result.seen)) for result in results]


def judge(facts: Facts, cloud: Cloud) -> Iterator[Result]:
    """Yield what each check says of what has been read."""
    projects = list(dict.fromkeys([facts.project, facts.function_project or facts.project]))
    checks: dict[str, Callable[[], Iterable[Result]]] = {
        "the projects are ready": lambda: [
            judged
            for project in projects
            for judged in (check_project(cloud, project), check_apis(cloud, project))
        ],
        "your own requests are let in": lambda: check_caller(cloud),
        "the projects are in a perimeter": lambda: check_perimeters(
            cloud, projects, facts.access_policy
        ),
        "the Python repository asks its upstream": lambda: check_upstreams(cloud, facts),
        "the Docker repository takes images": lambda: [
            check_docker_repository(cloud, facts.docker_repository)
        ],
        "the build account has its roles": lambda: check_build_account(cloud, facts),
        "the worker pool is ready": lambda: check_worker_pool(cloud, facts.worker_pool),
        "the function may read its secrets": lambda: check_secrets(cloud, facts),
        "an alert policy uses the notification channel": lambda: check_alerts(cloud, facts),
    }
    for claim, judgement in checks.items():
        try:
            results = list(judgement())
        except UNKNOWN_FORM:
            results = [Result(claim, UNKNOWN, "Google's answer has a form that is not known here")]
        yield from results
