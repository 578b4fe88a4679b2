"""Set the switch to ALLOW if the answers say so, then print the next steps.

The exit status is always 0: with any other, the engine deletes the user's new project. The engine
writes folders that the answers rule out under reserved names; this hook removes only what the
engine has just written there.
"""

import sys

# Percent-encoded, so that no answer becomes code of this program; valid answers stay the same.
# Reading JSON instead would double this program's time.
ANSWERS = {
    "project_slug": "{{ cookiecutter.project_slug | urlencode }}",
    "gcp_project_id": "{{ cookiecutter.gcp_project_id | urlencode }}",
    "platform_project_id": "{{ cookiecutter.platform_project_id | urlencode }}",
    "function_kind": "{{ cookiecutter.function_kind | urlencode }}",
    "platform": "{{ cookiecutter.platform | urlencode }}",
    "allow_upstreams": "{{ cookiecutter.allow_upstreams | string | urlencode }}",
}

# The reserved name of each folder that an answer can rule out; .gitignore lists them, too.
RESERVED = (".unused-github", ".unused-mibs", "terraform/.unused-platform")
# The engine always writes this file before it writes into a folder.
FIRST_WRITTEN = ".gitignore"
PLACEHOLDER = "my-project-id"
ALLOW_COMMAND = "make allow"
RUN_LATER = f"Later, run: {ALLOW_COMMAND}. To see what it needs: make doctor"


def why_not_now() -> str | None:
    """Return why `allow` must not run now, or None if it must."""
    for question in ("gcp_project_id", "platform_project_id"):
        if ANSWERS[question] == PLACEHOLDER:
            return f"{question} is still {PLACEHOLDER}"
    if ANSWERS["allow_upstreams"] != "True":
        return "allow_upstreams is no"

    import os

    override = os.environ.get("CLOSED_FUNCTION_ALLOW")
    if override == "0":
        return "CLOSED_FUNCTION_ALLOW=0"
    if override == "1":
        return None

    import tempfile

    # cruft bakes there on every update, check and diff; none of them may change a policy.
    temporary = os.path.join(os.path.realpath(tempfile.gettempdir()), "")
    if os.path.realpath(os.getcwd()).startswith(temporary):
        return "this is a temporary directory (CLOSED_FUNCTION_ALLOW=1 overrides)"
    return None


def allow_upstreams() -> list[str]:
    """Run `allow` of the new repository and return the lines to print about it."""
    import signal
    import subprocess

    # On these signals the tool ends gcloud first, and this program still ends with status 0.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    tool = subprocess.Popen(
        [sys.executable, "-m", "closed_function", "allow"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    try:
        output, _ = tool.communicate()
    finally:
        if tool.poll() is None:
            tool.terminate()
            tool.wait(timeout=10)
    if tool.returncode == 0:
        return output.splitlines()
    if tool.returncode == 1 and ANSWERS["platform"] == "create":
        return [
            "The switch was refused, as expected while the perimeter does not exist yet.",
            "make platform creates the perimeter, and then sets the switch.",
        ]
    return [
        *output.splitlines(),
        f"The repository is complete. {RUN_LATER}",
    ]


def remove_unused_folders() -> None:
    """Remove what the engine has just written into reserved folders, then the empty folders.

    A file that existed before is older than the first file of this run, and stays.
    """
    import os

    began = os.stat(FIRST_WRITTEN).st_mtime_ns
    for reserved in RESERVED:
        if os.path.islink(reserved):
            continue
        for folder, _, names in os.walk(reserved, topdown=False):
            try:
                for name in names:
                    file = os.path.join(folder, name)
                    if os.lstat(file).st_mtime_ns >= began:
                        os.remove(file)
                os.rmdir(folder)
            except OSError:
                pass  # not empty


def say(line: str) -> None:
    # A terminal that cannot show a character must not stop the hook.
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def report() -> None:
    remove_unused_folders()
    slug = ANSWERS["project_slug"]
    say(f"Generated {slug}/ ({ANSWERS['function_kind']}).")
    reason = why_not_now()
    if reason:
        say(f"The switch was not set: {reason}. Later, run: {ALLOW_COMMAND}")
    else:
        for line in allow_upstreams():
            say(line)
    say(f"Next: cd {slug} && git init -b main && make test")


def main() -> None:
    try:
        report()
    except (Exception, KeyboardInterrupt) as error:  # the project must stay
        try:
            say(f"The repository is complete, but the hook was stopped ({error!r}).")
            say(RUN_LATER)
        except OSError:
            pass  # standard output is closed

    import os

    # Not sys.exit: closing a broken standard output would turn the status into 120.
    os._exit(0)


if __name__ == "__main__":
    main()
