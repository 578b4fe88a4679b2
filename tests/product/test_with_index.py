"""One command with pip and uv signed in to the repository's index; test_laptop.py uses it, too."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake, bare_environment
from tests.support.gcloud import fake_gcloud

TOKEN = "ya29.of-the-metadata-server"  # noqa: S105
INDEX = "asia-northeast1-python.pkg.dev/a-project/ar-buildpython/simple/"
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@contextlib.contextmanager
def metadata_server(answer: bytes) -> Iterator[str]:
    """A server that gives `answer` to who asks as Google's libraries do; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith("/service-accounts/default/token")
            status = 200 if known and self.headers["Metadata-Flavor"] == "Google" else 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer if status == 200 else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def product(tmp_path: Path) -> Baked:
    return bake(tmp_path, gcp_project_id="a-project", function_kind="http")


def with_index(
    product: Baked, *command: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "closed_function", "with-index", *command],
        cwd=product.path,
        env=bare_environment(product.path.parent, PATH="/nowhere", **environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_command_gets_the_index_with_a_token_and_no_other_index(product: Baked) -> None:
    with metadata_server(json.dumps({"access_token": TOKEN}).encode()) as host:
        misleading = {"PIP_EXTRA_INDEX_URL": "https://example.com/", "UV_INDEX": "x=https://x/"}
        done = with_index(
            product, sys.executable, "-c", SHOW, GCE_METADATA_HOST=host, KEPT="yes", **misleading
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    url = f"https://oauth2accesstoken:{TOKEN}@{INDEX}"
    assert (seen["PIP_INDEX_URL"], seen["UV_DEFAULT_INDEX"], seen["KEPT"]) == (url, url, "yes")
    assert misleading.keys().isdisjoint(seen)
    assert TOKEN not in done.stderr
    assert not [name for name, content in product.files().items() if TOKEN.encode() in content]


def test_no_file_of_settings_adds_an_index(product: Baked, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name, text in (
        ("pip/pip.conf", "[global]\nextra-index-url = https://example.com/\nproxy = http://a:1\n"),
        ("uv/uv.toml", '[[index]]\nname = "x"\nurl = "https://example.com/"\n'),
    ):
        file = home / ".config" / name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    asked = (
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'config', 'list'])"
    )

    def pip_settings(*command: str, **environment: str) -> str:
        return subprocess.run(
            [sys.executable, *command, sys.executable, "-c", asked][len(command) == 0 :],
            cwd=product.path,
            env=bare_environment(home, PATH="/nowhere", **environment),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    assert "https://example.com/" in pip_settings()
    with metadata_server(json.dumps({"access_token": TOKEN}).encode()) as host:
        settings = pip_settings("-m", "closed_function", "with-index", GCE_METADATA_HOST=host)
    assert "example.com" not in settings
    assert ":env:.index-url=" in settings
    assert ":env:.proxy='http://a:1'" in settings


def test_the_commands_own_status_is_the_status(product: Baked) -> None:
    with metadata_server(json.dumps({"access_token": TOKEN}).encode()) as host:
        done = with_index(product, "/bin/sh", "-c", "exit 7", GCE_METADATA_HOST=host)
        absent = with_index(product, "/no/such/program", GCE_METADATA_HOST=host)
    assert done.returncode == 7
    assert (absent.returncode, absent.stderr) == (
        127,
        "/no/such/program: No such file or directory\n",
    )


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"access_token": ""}'])
def test_without_a_token_nothing_is_run_and_the_reason_is_one_line(
    answer: bytes, product: Baked
) -> None:
    with metadata_server(answer) as host:
        done = with_index(product, "/bin/sh", "-c", "echo ran", GCE_METADATA_HOST=host)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "gcloud is not installed" in done.stderr


def test_a_gcloud_that_is_not_signed_in_is_told(product: Baked, tmp_path: Path) -> None:
    words = "You do not currently have an active account selected. gcloud auth login"
    folder = fake_gcloud(tmp_path, f"echo '{words}' >&2; exit 1")
    done = subprocess.run(
        [sys.executable, "-m", "closed_function", "with-index", "/bin/sh", "-c", "echo ran"],
        cwd=product.path,
        env=bare_environment(tmp_path, PATH=folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "Run: gcloud auth login" in done.stderr


def test_bad_usage_and_a_bad_index_line_are_one_line_each(product: Baked) -> None:
    for command in ((), ("--colour",)):
        done = with_index(product, *command)
        assert done.returncode == 2
        assert done.stderr.startswith("python3 -m closed_function")
        assert done.stderr.count("\n") == 1
    lock = product.path / "function/requirements.txt"
    lock.write_text("--index-url https://example.com/simple/\n", encoding="utf-8")
    done = with_index(product, "true")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
