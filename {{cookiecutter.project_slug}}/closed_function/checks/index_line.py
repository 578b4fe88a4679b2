"""Checks of the index line and of the platform's hand-over, which must name the same index."""

from collections.abc import Iterator

from closed_function.checks.result import OK, PROBLEM, UNKNOWN, Result
from closed_function.files import text_at
from closed_function.index import EXAMPLE, SIGN_IN_LOCATIONS, Index
from closed_function.paths import REQUIREMENTS, relative
from closed_function.repository import Repository
from closed_function.requirements import abbreviate

# What the platform hands over by full names, all of its one project and region.
PLACED = ("worker_pool", "docker_repository", "python_repository")
HANDED = ("project_id", "region", *PLACED, "python_index_url", "build_service_account")


def check_index(repository: Repository) -> Iterator[Result]:
    claim = "requirements.txt begins with the index, an Artifact Registry repository"
    region = "the build signs pip in at that location"
    command = "head -n 1 function/requirements.txt"
    index, error = repository.index, repository.index_error
    if index is None:
        symptom = "extra-index" if "--extra-index-url" in error else "index-line-wrong"
        handed = text_at(repository.platform, "python_index_url")
        wanted = f"--index-url {handed}" if handed else EXAMPLE
        seen = error.replace(str(REQUIREMENTS), str(relative(REQUIREMENTS)))
        yield Result(claim, PROBLEM, seen.replace(EXAMPLE, wanted), command, symptom)
        yield Result(region, UNKNOWN, "the index line names no location", optional=True)
        return
    wanted = f"--index-url {index.url}"
    with REQUIREMENTS.open(encoding="utf-8", newline="") as file:
        first_line = file.readline().removesuffix("\n")
    if first_line != wanted:
        # Marks that nobody sees are shown as what they are.
        seen = f"the first line is {abbreviate(first_line)!a}, and must be {wanted!a}."
        yield Result(claim, PROBLEM, seen, command, "index-line-wrong")
    else:
        seen = f"{index.repository} of {index.project} in {index.location}"
        yield Result(claim, OK, seen, command)
    if index.location in SIGN_IN_LOCATIONS:
        yield Result(region, OK, index.location)
    else:
        seen = f"{index.location} is not a location for which the build writes pip's credentials."
        yield Result(region, PROBLEM, seen, command, "no-credentials")


def check_hand_over(repository: Repository) -> Iterator[Result]:
    """Check that the hand-over is whole and agrees with itself and with the index line."""
    file, platform = relative(repository.hand_over), repository.platform
    claim, agrees = "the platform's hand-over is whole", "the index line is the platform's"
    why = repository.hand_over_unread
    missing = [name for name in HANDED if not text_at(platform, name)]
    if not why and missing:
        why = f"does not name {', '.join(missing)}"
    if why:
        yield Result(claim, PROBLEM, f"{file} {why}.", f"cat {file}", "hand-over-missing")
        yield Result(agrees, UNKNOWN, "the hand-over is not whole", optional=True)
        return
    handed = {name: text_at(platform, name) for name in HANDED}
    place = f"projects/{handed['project_id']}/locations/{handed['region']}/"
    name = handed["python_repository"].rpartition("/")[2]
    platforms = Index(handed["region"], handed["project_id"], name)
    odd = [f"{name} is {handed[name]}" for name in PLACED if not handed[name].startswith(place)]
    if handed["python_index_url"] != platforms.url:
        odd.append(f"python_index_url is {handed['python_index_url']}, not {platforms.url}")
    if odd:
        seen = f"in {file} project_id is {handed['project_id']} and region {handed['region']}, "
        seen += f"but {odd[0]}."
        yield Result(claim, PROBLEM, seen, f"cat {file}", "hand-over-contradictory")
        yield Result(agrees, UNKNOWN, "the hand-over contradicts itself", optional=True)
        return
    yield Result(claim, OK, str(file))
    index = repository.index
    if index is None:
        yield Result(agrees, UNKNOWN, "the index line names no repository", optional=True)
    elif index != platforms:
        seen = f"requirements.txt names {index.repository} of {index.project} in "
        seen += f"{index.location}, and {file} names {platforms.url}."
        yield Result(agrees, PROBLEM, seen, f"cat {file}", "hand-over-differs")
    else:
        yield Result(agrees, OK, platforms.url)
