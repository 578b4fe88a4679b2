"""Check every answer and report every problem at once, before a file is written.

Exit status 0: all answers are valid. 1: at least one is not; each problem is one line
on standard error: the field, the value, the rule and an example. Then the answers are saved.
"""

import json
import os
import re
import sys

# With a slug such as a/../b, the engine takes an existing folder for its own and deletes it when
# this hook refuses. A template error stops the engine without deleting anything:
# {% set slug = (cookiecutter.project_slug | string).replace("\\", "/") %}
# {% if "..." in slug or slug.rpartition("/..")[0].strip("./") %}
# {{ {}.pop("project_slug: " ~ slug ~ " is refused: it must not contain ..") }}
# {% endif %} (end of the guard)

# Read as data: no answer becomes code of this program.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

# The locations for which the build writes pip's credentials (buildpacks, pkg/ar/ar.go). In any
# other location the build's pip is anonymous and finds nothing.
REGIONS = ANSWERS["_regions"]
MULTI_REGIONS = ANSWERS["_multi_regions"]

# Marks that TOML, Terraform, the shell or the template engine interprets.
FORBIDDEN_MARKS = ('"', "\\", "${", "%{", "{" + "{", "{" + "%", "{" + "#")
FORBIDDEN_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
BIDIRECTIONAL_CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

# The inside of a class of characters that show nothing: spaces, Unicode's default ignorable code
# points and the blank of Braille.
INVISIBLE = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)

# Where refused answers are saved: in cookiecutter's folder for answers.
SAVED = os.path.join("~", ".cookiecutter_replay", "closed-function-refused.json")

# Maximum characters, maximum bytes of UTF-8, an example.
FREE_TEXTS = {
    "project_name": (60, 100, "Alert to SNMP"),
    "description": (120, 256, "Forwards alerts as SNMP traps."),
}

PATTERNS = {
    "project_slug": (
        r"(?!.*--)(?!(?:con|prn|aux|nul|(?:com|lpt)[0-9])$)[a-z](?:[a-z0-9-]{0,20}[a-z0-9])?",
        (
            "1-22 of a-z, 0-9 and single hyphens, starting with a letter, not ending with a hyphen,"
            " and not con, nul or another name that Windows reserves"
        ),
        "alert-to-snmp",
    ),
    "gcp_project_id": (
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "6-30 of a-z, 0-9 and hyphens, starting with a letter, not ending with a hyphen",
        "my-project-id",
    ),
    "python_repository": (
        r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "1-63 of a-z, 0-9 and hyphens, starting with a letter, not ending with a hyphen",
        "ar-buildpython",
    ),
    "access_policy_id": (
        r"[0-9]{0,20}",
        "the policy's number (digits only), or empty",
        "123456789012",
    ),
}
PATTERNS["platform_project_id"] = PATTERNS["gcp_project_id"]


def read_choices() -> dict[str, list[str]]:
    """Return the values that the template offers, by question.

    The engine takes others from a replay file. Under cruft, which has none, it is not known where
    the template is, and nothing is returned.
    """
    folder = ANSWERS.get("_repo_dir", "")  # it can be relative to where the user is
    file = os.path.join(os.environ.get("PWD", ""), str(folder), "cookiecutter.json")
    try:
        with open(file, encoding="utf-8") as questions:
            offered = json.load(questions) if folder else {}
    except (OSError, ValueError):
        return {}
    return {name: values for name, values in offered.items() if isinstance(values, list)}


OFFERED = read_choices()
for choice, example in {
    "function_kind": "pubsub",
    "python_version": "3.13",
    "platform": "create",
    "ci": "none",
}.items():
    values = OFFERED.get(choice)
    PATTERNS[choice] = (
        ("|".join(map(re.escape, values)), f"one of {', '.join(values)}", example)
        if values
        else (r"[a-z0-9.-]{1,20}", "one of the choices", example)
    )


def problem(field: str, rule: str, example: str) -> str:
    """Return one line: the answer to `field`, its rule and an example."""
    value = repr(ANSWERS[field])
    if len(value) > 80:
        value = value[:76] + "...'"
    return f"{field}: {value} is refused: {rule}; for example {example}"


def has_forbidden_character(text: str) -> bool:
    import unicodedata  # imported only if a text needs it

    return any(
        unicodedata.category(char) in FORBIDDEN_CATEGORIES or char in BIDIRECTIONAL_CONTROLS
        for char in text
    )


def free_text_problems(field: str) -> list[str]:
    characters, octets, example = FREE_TEXTS[field]
    text = ANSWERS[field]
    rules = []
    if re.fullmatch(f"[{INVISIBLE}]*", text) or len(text) > characters:
        rules.append(f"1 to {characters} characters, at least one of them visible")
    elif len(text.encode("utf-8", "surrogatepass")) > octets:
        rules.append(f"at most {octets} bytes of UTF-8")
    rules += [f"it must not contain {mark}" for mark in FORBIDDEN_MARKS if mark in text][:1]
    if not text.isprintable() and has_forbidden_character(text):
        rules.append("no control character, line break, invalid UTF-8 or bidirectional mark")
    return [problem(field, "; ".join(rules), example)] if rules else []


def pattern_problems(field: str) -> list[str]:
    pattern, rule, example = PATTERNS[field]
    return [] if re.fullmatch(pattern, ANSWERS[field]) else [problem(field, rule, example)]


def region_problems() -> list[str]:
    region = ANSWERS["region"]
    if region in REGIONS:
        return []
    if region in MULTI_REGIONS:
        inside = next(name for name in REGIONS if name.startswith(region + "-"))
        return [problem("region", "a worker pool needs one region, not a multi-region", inside)]

    from difflib import get_close_matches  # imported only for a refused answer

    near = get_close_matches(region, REGIONS, n=1)
    rule = "it must be a region whose builds can sign in to Artifact Registry"
    if near:
        rule += f" (did you mean {near[0]}?)"
    return [problem("region", rule, near[0] if near else "asia-northeast1")]


def type_problems() -> list[str]:
    """Return a line for each answer of a wrong type, which only a replay file can hold."""
    texts = [*FREE_TEXTS, "region", *PATTERNS]
    found = [
        problem(f, "it must be text", '"text"') for f in texts if not isinstance(ANSWERS[f], str)
    ]
    if not isinstance(ANSWERS["allow_upstreams"], bool):
        found.append(
            problem("allow_upstreams", "it must be true or false, without quotes", "false")
        )
    return found


def problems() -> list[str]:
    found = type_problems() or [
        *(line for field in FREE_TEXTS for line in free_text_problems(field)),
        *region_problems(),
        *(line for field in PATTERNS for line in pattern_problems(field)),
    ]
    asked = list(ANSWERS)
    return sorted(found, key=lambda line: asked.index(line.split(":")[0]))


def remove_folders_of(slug: str) -> None:
    """Remove the empty folders that the engine has just made for a slug with separators.

    The engine removes only the last one. A folder with content, the output directory and its
    parents stay. An empty folder that existed before is removed, too.
    """
    if not re.search(r"[/\\]", slug):
        return
    output_directory = os.path.realpath(ANSWERS.get("_output_dir", os.getcwd()))
    folder = os.path.realpath(os.getcwd())
    os.chdir(output_directory)
    try:
        while os.path.commonpath([folder, output_directory]) != folder:
            os.rmdir(folder)
            folder = os.path.dirname(folder)
    except (OSError, ValueError):  # not empty, or on another drive
        return


def is_temporary() -> bool:
    import tempfile  # imported only for a refused answer

    temporary = os.path.join(os.path.realpath(tempfile.gettempdir()), "")
    return os.path.realpath(os.getcwd()).startswith(temporary)


def replace(file: str, text: str) -> None:
    """Write `text` to `file` in one step; a link there is replaced, not followed."""
    import tempfile

    number, temporary = tempfile.mkstemp(dir=os.path.dirname(file), prefix=".refused.")
    try:
        with open(number, "w", encoding="utf-8") as opened:
            opened.write(text)
        os.replace(temporary, file)
    except BaseException:
        os.remove(temporary)
        raise


def what_next() -> list[str]:
    """Save the answers, and return the lines that say where and how to use them again.

    The engine has saved them only if it is cookiecutter, and where its configuration says.
    """
    import shlex

    answers = {name: answer for name, answer in ANSWERS.items() if not name.startswith("_")}
    content: dict[str, object] = {"cookiecutter": answers}
    command = "cookiecutter --replay-file"
    again = ["Nothing was generated. Correct these answers and run the command again."]
    if "_repo_dir" not in ANSWERS:  # cruft
        if is_temporary():
            return again  # an update: the answers are those of the repository
        content, command = answers, "cruft create --no-input --extra-context-file"
    file = os.path.expanduser(SAVED)
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        replace(file, json.dumps(content, indent=2))
    except OSError:
        return again
    template = str(ANSWERS.get("_template", "TEMPLATE"))
    # Only the login of ssh has no password.
    if re.search(r"[@?#]", re.sub(r"^(?:ssh://)?[\w.-]+@", "", template)):
        template = "TEMPLATE"  # it can hold a password
    return [
        f"Nothing was generated. Your answers are in {file}",
        "Correct them there and run this, with the other options that you gave:",
        f"{command} {shlex.quote(file)} {shlex.quote(template)}",
    ]


def main() -> int:
    found = problems()
    if not found:
        return 0
    print(*found, sep="\n", file=sys.stderr)
    print(*what_next(), sep="\n", file=sys.stderr)
    remove_folders_of(str(ANSWERS["project_slug"]))
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
