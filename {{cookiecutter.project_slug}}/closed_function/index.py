"""Read the index that the build uses: the first line of function/requirements.txt."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from closed_function.errors import CommandError
from closed_function.files import read_object, read_text, text_at
from closed_function.paths import relative
from closed_function.redaction import one_line
from closed_function.requirements import read_lines

EXAMPLE = "--index-url https://asia-northeast1-python.pkg.dev/my-project-id/ar-buildpython/simple/"
INDEX_URL = re.compile(
    r"https://([a-z]+(?:-[a-z]+[0-9]+)?)-python\.pkg\.dev"
    r"/([a-z][a-z0-9.:-]*)/([a-z][a-z0-9-]*)/simple/?"
)
# Where the build writes credentials for pip (buildpacks, pkg/ar/ar.go): the template's `region`
# question offers the same, and the multi-regions can hold a repository, too.
SIGN_IN_LOCATIONS = frozenset(
    """
    africa-south1 asia asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3
    asia-south1 asia-south2 asia-southeast1 asia-southeast2 asia-southeast3 australia-southeast1
    australia-southeast2 europe europe-central2 europe-north1 europe-north2 europe-southwest1
    europe-west1 europe-west10 europe-west12 europe-west2 europe-west3 europe-west4 europe-west5
    europe-west6 europe-west8 europe-west9 me-central1 me-central2 me-west1
    northamerica-northeast1 northamerica-northeast2 northamerica-south1 southamerica-east1
    southamerica-west1 us us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2
    us-west3 us-west4 us-west8
    """.split()
)


class RequirementsError(CommandError):
    """Say what is wrong with the index line of a requirements file, in one line."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class Index(NamedTuple):
    """An index URL of Artifact Registry, in its parts."""

    location: str
    project: str
    repository: str

    @property
    def host(self) -> str:
        return f"{self.location}-python.pkg.dev"

    @property
    def path(self) -> str:
        return f"/{self.project}/{self.repository}/simple/"

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.path}"


def read_index(requirements: Path) -> Index:
    """Return the index that `requirements` names.

    Raises RequirementsError when the file cannot be read, has not exactly one index line, adds a
    second index, or when parse_index refuses the URL.
    """
    text, why = read_text(requirements)
    if why:
        raise RequirementsError(
            f"{requirements}: the file {why}; it begins with a line such as {EXAMPLE}"
        )
    options = [line for line in read_lines(text) if line.startswith("-")]
    if any(option.startswith("--ex") for option in options):
        raise RequirementsError(
            f"{requirements}: --extra-index-url makes pip ask a second index, which a closed "
            f"build cannot reach; keep one line such as {EXAMPLE}"
        )
    matches = [re.fullmatch(r"(?:--i[a-z-]*|--py[a-z-]*|-i)[\s=]*(.+)", o) for o in options]
    urls = [match[1].strip("\"'") for match in matches if match]
    if len(urls) != 1:
        raise RequirementsError(
            f"{requirements}: {len(urls) or 'no'} index lines; exactly one is needed, such as "
            f"{EXAMPLE}"
        )
    return parse_index(urls[0], str(requirements))


def read_handed_over_url(hand_over: Path) -> str:
    """Return the index URL that the platform hands over, which parse_index accepts.

    Raises RequirementsError when the file cannot be read or names no such URL.
    """
    content, why = read_object(hand_over)
    name = relative(hand_over)
    url = text_at(content, "platform.python_index_url")
    if not url:
        raise RequirementsError(
            f"{name} {why or 'does not name platform.python_index_url'}; it begins with "
            '{"platform": {"python_index_url": "https://REGION-python.pkg.dev/PROJECT/REPOSITORY/simple/"'
        )
    parse_index(url, str(name))
    return url


def parse_index(url: str, where: str) -> Index:
    """Return the index at `url`; `where` is the file that an error names.

    Raises RequirementsError for any other URL. Credentials in it are not repeated.
    """
    if "@" in url:
        raise RequirementsError(
            f"{where}: the index line has credentials; pip gets them from the build, so write "
            f"{EXAMPLE}"
        )
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise RequirementsError(f"{where}: the index is not a URL; write {EXAMPLE}") from None
    if match := INDEX_URL.fullmatch(url):
        return Index(*match.groups())
    raise RequirementsError(
        f"{where}: {parts.scheme}://{host}{parts.path} is not a Python repository of Artifact "
        f"Registry; write {EXAMPLE}"
    )
