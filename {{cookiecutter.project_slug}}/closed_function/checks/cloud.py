"""Run all checks of Google Cloud."""

from closed_function.checks.alerts import check_alerts
from closed_function.checks.build_account import check_build_account
from closed_function.checks.perimeters import check_perimeters
from closed_function.checks.platform import check_listed_accounts
from closed_function.checks.projects import check_apis, check_caller, check_project
from closed_function.checks.reads import Checks, Cloud, run_checks
from closed_function.checks.repositories import check_docker_repository, check_upstreams
from closed_function.checks.result import Result
from closed_function.checks.secrets import check_secrets
from closed_function.checks.shared_vpc import check_shared_vpc
from closed_function.checks.worker_pool import check_worker_pool
from closed_function.gcloud.session import Session
from closed_function.repository import Repository

# What is wrong when there is no platform.
OF_THE_PLATFORM = {
    "upstream-denied",
    "not-in-index",
    "pool-not-found",
    "docker-repository-missing",
    "build-account-missing",
    "project-outside-perimeter",
}


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
                cloud, repository
            ),
            "the build account has its roles": lambda: check_build_account(cloud, repository),
            "the function may use the platform's network": lambda: check_shared_vpc(
                cloud, repository
            ),
            "the accounts of the platform's `functions` exist": lambda: check_listed_accounts(
                cloud, repository
            ),
            "the worker pool is ready": lambda: check_worker_pool(cloud, repository.worker_pool),
            "the function may read its secrets": lambda: check_secrets(cloud, repository),
            "an alert policy uses the notification channel": lambda: check_alerts(
                cloud, repository
            ),
        }

    return name_missing_platform(run_checks(checks_of, session, timeout))


def name_missing_platform(results: list[Result]) -> list[Result]:
    """Give what `make platform` creates one cause, where none of it is there yet."""
    if not {"not-in-index", "pool-not-found"} <= {each.symptom for each in results}:
        return results
    return [
        each._replace(symptom="platform-missing") if each.symptom in OF_THE_PLATFORM else each
        for each in results
    ]
