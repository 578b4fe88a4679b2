"""Link the repository to its template, set the switch if asked, and print the next steps.

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
# Where cookiecutter has read the template. Empty under cruft, which writes .cruft.json itself.
TEMPLATE_FOLDER = "{{ cookiecutter._repo_dir | default('') | urlencode }}"
# Every answer and every fact of the engine's, in order, as JSON.
CONTEXT = r"""{{ cookiecutter.items() | list | tojson }}"""

CRUFT_STATE = ".cruft.json"
# The files of the template that the engine copies or includes, and all that a bake reads.
FILES = ("templates", ":(glob)*cookiecutter.project_slug*/**")
BAKED_FROM = ("cookiecutter.json", "hooks", *FILES)

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
    import subprocess

    # -E: in the user's shell, PYTHONSAFEPATH would hide the tool, and PYTHONPATH replace it.
    tool = subprocess.Popen(
        [sys.executable, "-E", "-B", "-m", "closed_function", "allow"],
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


def git(folder: str, *arguments: str) -> str:
    import os
    import subprocess

    # A Git hook that runs this program has set these for another repository.
    own = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", folder, *arguments],
        env={name: value for name, value in os.environ.items() if name not in own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        words = done.stderr.strip().partition("\n")[0]
        raise ValueError(f"`git {arguments[0]}` failed in {folder}: {words}")
    return done.stdout.strip()


def without_credentials(address: str) -> str:
    """Return a Git address without a password or token; ssh keeps its user.

    ValueError for one that is neither a plain URL, a path nor host:path: what looks like a part
    of it can be one of a password.
    """
    import re

    host = r"(?:[\w.-]+|\[[\w:.]+\])"
    url = re.fullmatch(
        rf"([a-z+]+://)(?:([^/?#]*)@)?({host}(?::[0-9]*)?(?:/[^@?#]*)?)(?:[?#][^@]*)?", address
    )
    if url:
        scheme, login, rest = url.groups()
        user = re.match(r"[\w.-]+(?=:|$)", login or "") if scheme.endswith("ssh://") else None
        return f"{scheme}{user[0] + '@' if user else ''}{rest}"
    path = r"(?:file://)?(?:/(?!/)|[A-Za-z]:[/\\])[^\0]*"
    if re.fullmatch(rf"{path}|(?:[\w.-]+@)?{host}:[^@?#]*", address):
        return address
    raise ValueError("the form of its origin's address is not known, and can hold a password")


def baked_version(template: str, folder: str) -> tuple[str, str]:
    """Return the address and the commit of what was baked from `folder`. ValueError without one."""
    import os

    if not os.path.isabs(folder):
        raise ValueError(f"the path {folder} is relative")
    if not os.path.exists(os.path.join(folder, ".git")):
        raise ValueError("it is not a Git repository")
    if git(folder, "status", "--porcelain", "--untracked-files=normal", "--", *BAKED_FROM):
        raise ValueError(f"{folder} has changes that are not committed")
    # The engine reads what Git ignores, too.
    options = ("--porcelain", "--untracked-files=normal", "--ignored")
    if ignored := git(folder, "status", *options, "--", *FILES):
        name = ignored.partition("\n")[0].removeprefix("!! ")
        raise ValueError(f"{folder} has a file that Git ignores ({name})")
    commit = git(folder, "rev-parse", "HEAD")
    if folder == template:
        return os.path.abspath(folder), commit
    if not git(folder, "for-each-ref", "--contains", commit, "refs/remotes", "refs/tags"):
        raise ValueError(f"the commit in {folder} is not its origin's")
    # The address in full: `_template` can be an abbreviation.
    return without_credentials(git(folder, "config", "--get", "remote.origin.url")), commit


def link() -> str:
    """Write .cruft.json as `cruft create` does, and return the line to print about it.

    It is written only when a commit of the template is exactly what was baked.
    """
    import json
    import os
    import subprocess

    if os.path.lexists(CRUFT_STATE):
        return f"{CRUFT_STATE} existed before and stays as it is; it can name another version."
    context = dict(json.loads(CONTEXT))
    folder, checkout = context.pop("_repo_dir"), context.pop("_checkout", None)
    context.pop("_output_dir", None)
    try:
        address, commit = baked_version(context["_template"], folder)
        state = {
            "template": address,
            "commit": commit,
            "checkout": checkout,
            "context": {"cookiecutter": context | {"_template": address, "_commit": commit}},
            "directory": None,
        }
        text = json.dumps(state, ensure_ascii=False, indent=2) + "\n"
        with open(CRUFT_STATE, "xb") as file:
            file.write(text.encode())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"Not linked to its template: {error}. `make upgrade` says how to link it."
    return f"Linked to {address} at {commit[:12]} ({CRUFT_STATE})."


def say(line: str) -> None:
    # A terminal that cannot show a character must not stop the hook.
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def report() -> None:
    remove_unused_folders()
    slug = ANSWERS["project_slug"]
    say(f"Generated {slug}/ ({ANSWERS['function_kind']}).")
    if TEMPLATE_FOLDER:
        say(link())
    reason = why_not_now()
    if reason:
        say(f"The switch was not set: {reason}. Later, run: {ALLOW_COMMAND}")
    else:
        for line in allow_upstreams():
            say(line)
    say(f"Next: cd {slug} && git init -b main && make test")


def main() -> None:
    import signal

    stops = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        # A program that runs ends first, and this one still ends with status 0.
        for each in stops:
            if signal.getsignal(each) is signal.SIG_DFL:  # nohup ignores one
                signal.signal(each, signal.default_int_handler)
        report()
    except (Exception, KeyboardInterrupt) as error:  # the project must stay
        for each in (signal.SIGINT, *stops):
            signal.signal(each, signal.SIG_IGN)
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
