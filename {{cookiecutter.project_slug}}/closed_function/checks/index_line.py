"""Check that the index line and the platform's hand-over name the same index."""

from collections.abc import Iterator

from closed_function.checks.result import Check, Result
from closed_function.files import text_at
from closed_function.index import EXAMPLE, SIGN_IN_LOCATIONS, Index
from closed_function.paths import REQUIREMENTS, relative
from closed_function.repository import Repository
from closed_function.requirements import abbreviate

# What the platform hands over by full names, all in its one project and region.
PLATFORM_RESOURCES = ("worker_pool", "docker_repository", "python_repository")
HAND_OVER_FIELDS = (
    *("project_id", "region", "python_index_url", "build_service_account"),
    *PLATFORM_RESOURCES,
)


def check_index(repository: Repository) -> Iterator[Result]:
    command = "head -n 1 function/requirements.txt"
    line = Check("requirements.txt begins with the index, an Artifact Registry repository", command)
    region = Check("the build signs pip in at that location", command)
    index, error = repository.index, repository.index_error
    if index is None:
        symptom = "extra-index" if "--extra-index-url" in error else "index-line-wrong"
        platform_url = text_at(repository.platform, "python_index_url")
        wanted = f"--index-url {platform_url}" if platform_url else EXAMPLE
        seen = error.replace(str(REQUIREMENTS), str(relative(REQUIREMENTS)))
        yield line.problem(symptom, seen.replace(EXAMPLE, wanted))
        yield region.unknown("the index line names no location", optional=True)
        return
    wanted = f"--index-url {index.url}"
    with REQUIREMENTS.open(encoding="utf-8", newline="") as file:
        first_line = file.readline().removesuffix("\n")
    if first_line != wanted:
        # `!a` shows invisible characters as escapes.
        seen = f"the first line is {abbreviate(first_line)!a}, and must be {wanted!a}."
        yield line.problem("index-line-wrong", seen)
    else:
        yield line.ok(f"{index.repository} of {index.project} in {index.location}")
    if index.location in SIGN_IN_LOCATIONS:
        yield region.ok(index.location)
    else:
        seen = f"{index.location} is not a location for which the build writes pip's credentials."
        yield region.problem("no-credentials", seen)


def check_hand_over(repository: Repository) -> Iterator[Result]:
    """Check that the hand-over is complete and agrees with itself and with the index line."""
    file, platform = relative(repository.hand_over), repository.platform
    complete = Check("the platform's hand-over is complete", f"cat {file}")
    agrees = Check("the index line is the platform's", f"cat {file}")
    why = repository.hand_over_unread
    fields = {name: text_at(platform, name) for name in HAND_OVER_FIELDS}
    missing = [name for name, value in fields.items() if not value]
    if not why and missing:
        why = f"does not name {', '.join(missing)}"
    if why:
        yield complete.problem("hand-over-missing", f"{file} {why}.")
        yield agrees.unknown("the hand-over is not complete", optional=True)
        return
    place = f"projects/{fields['project_id']}/locations/{fields['region']}/"
    repository_name = fields["python_repository"].rpartition("/")[2]
    platform_index = Index(fields["region"], fields["project_id"], repository_name)
    contradictions = [
        f"{name} is {fields[name]}"
        for name in PLATFORM_RESOURCES
        if not fields[name].startswith(place)
    ]
    if fields["python_index_url"] != platform_index.url:
        contradictions.append(
            f"python_index_url is {fields['python_index_url']}, not {platform_index.url}"
        )
    if contradictions:
        seen = f"in {file} project_id is {fields['project_id']} and region {fields['region']}, "
        yield complete.problem("hand-over-contradictory", f"{seen}but {contradictions[0]}.")
        yield agrees.unknown("the hand-over contradicts itself", optional=True)
        return
    yield complete.ok(str(file))
    index = repository.index
    if index is None:
        yield agrees.unknown("the index line names no repository", optional=True)
    elif index != platform_index:
        seen = f"requirements.txt names {index.repository} of {index.project} in "
        seen += f"{index.location}, and {file} names {platform_index.url}."
        yield agrees.problem("hand-over-differs", seen)
    else:
        yield agrees.ok(platform_index.url)
