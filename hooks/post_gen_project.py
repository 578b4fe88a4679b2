"""Allow the repository's upstream access if the answers say so, then print the next steps.

The exit status is always 0: with any other the engine deletes the user's new project. Nothing is
removed either: what the answers rule out is never written (the condition is in the file's name).
"""

import json
import sys

# Read as data: no answer is ever part of this program's text.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

PLACEHOLDER = "my-project-id"
ALLOW_COMMAND = "make allow"


def why_not_now() -> str | None:
    """The reason to leave the cloud alone, or None when the switch is to be thrown now."""
    if PLACEHOLDER in (ANSWERS["gcp_project_id"], ANSWERS["platform_project_id"]):
        return f"the project id is still {PLACEHOLDER}"
    if not ANSWERS["allow_upstreams"]:
        return "allow_upstreams is no"

    import os

    wish = os.environ.get("CLOSED_FUNCTION_ALLOW")
    if wish == "0":
        return "CLOSED_FUNCTION_ALLOW=0"
    if wish == "1":
        return None

    import tempfile

    # cruft regenerates there on every update, check and diff; none of them may flip a policy.
    temporary = os.path.realpath(tempfile.gettempdir())
    if os.path.commonpath([temporary, os.path.realpath(os.getcwd())]) == temporary:
        return "this is a temporary directory (CLOSED_FUNCTION_ALLOW=1 overrides)"
    return None


def allow_upstreams() -> list[str]:
    """Throw the switch with the new repository's own tool; return what to say about it."""
    import subprocess

    tool = subprocess.run(
        [sys.executable, "tools/upstreams.py", "allow"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if tool.returncode == 0:
        return tool.stdout.splitlines()
    if tool.returncode == 1 and ANSWERS["platform"] == "create":
        return [
            "Upstream access was refused, as expected while the perimeter does not exist yet.",
            f"Once the project is inside it, run: {ALLOW_COMMAND}",
        ]
    return [*tool.stdout.splitlines(), f"The repository is complete. Later, run: {ALLOW_COMMAND}"]


def say(line: str) -> None:
    # A terminal that cannot show a character must not stop the hook.
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def report() -> None:
    slug = ANSWERS["project_slug"]
    say(f"Generated {slug}/ ({ANSWERS['function_kind']}).")
    reason = why_not_now()
    if reason:
        say(f"Upstream access was not changed: {reason}. Later, run: {ALLOW_COMMAND}")
    else:
        for line in allow_upstreams():
            say(line)
    say(f"Next: cd {slug} && git init && make test")


def main() -> None:
    try:
        report()
    except (Exception, KeyboardInterrupt) as error:  # whatever happens, the project stays
        try:
            print(
                f"The repository is complete, but the hook stopped: {error!r}. "
                f"Later, run: {ALLOW_COMMAND}",
                file=sys.stderr,
                flush=True,
            )
        except OSError:
            pass  # nobody is listening any more

    import os

    # Not sys.exit: closing a broken standard output would turn the status into 120.
    os._exit(0)


if __name__ == "__main__":
    main()
