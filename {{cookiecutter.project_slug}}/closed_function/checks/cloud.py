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
from closed_function.repository import Repository


def check_cloud(repository: Repository, session: Session, timeout: float = 30) -> list[Result]:
    """Return what each check finds in Google Cloud, within `timeout` seconds."""
    projects = list(
        dict.fromkeys([repository.project, repository.function_project or repository.project])
    )

    def checks_of(cloud: Cloud) -> Checks:
        return {
            "the projects are ready": lambda: [
                result
                for project in projects
                for result in (
                    check_project(cloud, project),
                    check_apis(cloud, project, repository),
                )
            ],
            "the perimeter accepts your own requests": lambda: check_caller(cloud),
            "the projects are in a perimeter": lambda: check_perimeters(
                cloud, projects, repository.access_policy
            ),
            "the Python repository asks its upstream": lambda: check_upstreams(cloud, repository),
            "the Docker repository takes images": lambda: check_docker_repository(
                cloud, repository.docker_repository
            ),
            "the build account has its roles": lambda: check_build_account(cloud, repository),
            "the worker pool is ready": lambda: check_worker_pool(cloud, repository.worker_pool),
            "the function may read its secrets": lambda: check_secrets(cloud, repository),
            "an alert policy uses the notification channel": lambda: check_alerts(
                cloud, repository
            ),
        }

    return run_checks(checks_of, session, timeout)
