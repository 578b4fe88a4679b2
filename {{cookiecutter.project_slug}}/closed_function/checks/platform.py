"""Check the platform's settings, where the platform is one of this repository's."""

from collections.abc import Iterator, Mapping

from closed_function.checks.reads import Cloud
from closed_function.checks.result import Check, Result
from closed_function.files import as_mapping, text_at
from closed_function.paths import relative
from closed_function.repository import Repository


def check_platform_settings(repository: Repository) -> Iterator[Result]:
    """Check that the platform's settings can be read, and have what only the user knows."""
    files = [str(relative(file)) for file in repository.platform_files]
    if not files:
        return
    check = Check("the platform's settings are filled in", f"cat {' '.join(files)}")
    if repository.platform_settings_unread:
        yield check.problem("settings-unreadable", repository.platform_settings_unread)
    elif missing := list(unfilled_platform(repository.platform_settings)):
        verb = "is" if len(missing) == 1 else "are"
        seen = f"{', '.join(missing)} {verb} not filled in yet, and `make platform` needs them"
        yield check.unknown(seen, optional=True)
    else:
        yield check.ok(files[-1])


def unfilled_platform(settings: Mapping[str, object]) -> Iterator[str]:
    """Yield the settings of the platform without which Terraform refuses its plan."""
    perimeter, policy = as_mapping(settings.get("perimeter")), settings.get("access_policy")
    mode = perimeter.get("mode", "create")
    if mode == "none":
        return
    if perimeter.get("deployers") is None and perimeter.get("enforcement") != "dry-run":
        yield "perimeter.deployers"
    if mode == "join" and not perimeter.get("name"):
        yield "perimeter.name"
    creates_policy = mode == "create" and text_at(policy, "organization_id")
    if not text_at(policy, "id") and not creates_policy:
        yield "access_policy.id"


def check_listed_accounts(cloud: Cloud, repository: Repository) -> Iterator[Result]:
    """Check that the build accounts in the platform's `functions` exist; the own is checked alone.

    `make platform` can grant nothing to an account that is gone.
    """
    listed = repository.platform_functions().get("build_service_accounts")
    emails = [str(each) for each in listed] if isinstance(listed, list) else []
    file = relative(repository.platform_files[-1]) if emails else ""
    for email in emails:
        if email == repository.build_account:
            continue
        check = Check(f"{email} of the platform's `functions` exists")
        answer = cloud.account(email)
        if answer.status == 404:
            seen = f"functions.build_service_accounts in {file} has {email}, which does not exist."
            yield check.problem("functions-stale", seen)
        elif answer.why:
            yield check.unknown(answer.why, optional=True)
        else:
            yield check.ok(email)
