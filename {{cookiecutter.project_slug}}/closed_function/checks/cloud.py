"""Run all checks of Google Cloud."""

from closed_function.checks.alerts import check_alerts
from closed_function.checks.build_account import check_build_account
from closed_function.checks.perimeters import check_perimeters
from closed_function.checks.projects import check_apis, check_caller, check_project
from closed_function.checks.reads import Checks, Cloud, run_checks
from closed_function.checks.repositories import check_docker_repository, check_upstreams
from closed_function.checks.result import Result
from closed_function.checks.secrets import check_secrets
from closed_function.checks.worker_pool import check_worker_pool
from closed_function.gcloud.session import Session
from closed_function.repository import Facts


def check_cloud(facts: Facts, session: Session, timeout: float = 30) -> list[Result]:
    """Return what each check finds in Google Cloud, within `timeout` seconds."""
    projects = list(dict.fromkeys([facts.project, facts.function_project or facts.project]))

    def checks_of(cloud: Cloud) -> Checks:
        return {
            "the projects are ready": lambda: [
                check(cloud, project)
                for project in projects
                for check in (check_project, check_apis)
            ],
            "the perimeter accepts your own requests": lambda: check_caller(cloud),
            "the projects are in a perimeter": lambda: check_perimeters(
                cloud, projects, facts.access_policy
            ),
            "the Python repository asks its upstream": lambda: check_upstreams(cloud, facts),
            "the Docker repository takes images": lambda: check_docker_repository(
                cloud, facts.docker_repository
            ),
            "the build account has its roles": lambda: check_build_account(cloud, facts),
            "the worker pool is ready": lambda: check_worker_pool(cloud, facts.worker_pool),
            "the function may read its secrets": lambda: check_secrets(cloud, facts),
            "an alert policy uses the notification channel": lambda: check_alerts(cloud, facts),
        }

    return run_checks(checks_of, session, timeout)
