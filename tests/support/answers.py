"""Answers that the hook refuses, and a whole set that it accepts."""

from __future__ import annotations

import pytest

BAD = {
    "project_name": [
        pytest.param("", id="empty"),
        pytest.param("   ", id="only spaces"),
        pytest.param("\u200b\u200d\ufeff", id="only zero-width characters"),
        pytest.param("\u3164 \u115f", id="only letters that show nothing"),
        pytest.param("\u2800\u00a0\u3000", id="only blanks of other scripts"),
        pytest.param("x" * 61, id="61 characters"),
        pytest.param("漢" * 34, id="102 bytes"),
        pytest.param('a"b', id="quote"),
        pytest.param("a\nb", id="line break"),
        pytest.param("a\u2028b", id="line separator"),
        pytest.param("a\x1bb", id="escape"),
        pytest.param("a\u202eb", id="writing direction"),
        pytest.param("trailing\\", id="trailing backslash"),
        pytest.param("${x}", id="shell or Terraform variable"),
        pytest.param("%{ if }", id="Terraform directive"),
        pytest.param('"; __import__("os").system("touch MARK"); "', id="Python"),
        pytest.param('""" + open("MARK", "w").name + r"""', id="triple quotes"),
    ],
    "project_slug": [
        pytest.param("Bad Slug", id="capitals and space"),
        pytest.param("x" * 23, id="23 characters"),
        pytest.param("a--b", id="two hyphens"),
        pytest.param("-a", id="leading hyphen"),
        *(
            pytest.param(name, id=f"{name}, which Windows reserves")
            for name in ("con", "prn", "aux", "nul", "com1", "lpt9")
        ),
        pytest.param("a-", id="trailing hyphen"),
        pytest.param("9lives", id="leading digit"),
        pytest.param("$(touch MARK)", id="shell command"),
    ],
    "description": [
        pytest.param("", id="empty"),
        pytest.param("x" * 121, id="121 characters"),
        pytest.param("a\tb", id="tab"),
        pytest.param("\ufe0f\u00ad", id="nothing visible"),
        pytest.param("a\\b", id="backslash"),
    ],
    "gcp_project_id": [
        pytest.param("short", id="too short"),
        pytest.param("My-Project", id="capitals"),
        pytest.param("my-project-", id="trailing hyphen"),
        pytest.param("x" * 31, id="too long"),
        pytest.param("my-project-id\n", id="line break"),
    ],
    "platform_project_id": [pytest.param("1-project", id="leading digit")],
    "region": [
        pytest.param("us", id="multi-region us"),
        pytest.param("europe", id="multi-region europe"),
        pytest.param("asia", id="multi-region asia"),
        pytest.param("mars-north1", id="unknown"),
        pytest.param("", id="empty"),
    ],
    "python_repository": [
        pytest.param("projects/p", id="slash"),
        pytest.param("", id="empty"),
        pytest.param("Repo", id="capital"),
    ],
    "access_policy_id": [
        pytest.param("accessPolicies/1", id="resource name"),
        pytest.param("一", id="numeral that is no ASCII digit"),
    ],
}
# Answers to every question, none of them the default.
COMPLETE: dict[str, str | bool] = {
    "project_name": "障害通知 🚨 ガ㍿",
    "project_slug": "disk-alerts",
    "description": "It's 100% $(shell touch MARK) 👩‍🚒 → ok",
    "gcp_project_id": "a-project",
    "platform_project_id": "the-platform",
    "region": "europe-west1",
    "python_repository": "ar-other",
    "function_kind": "pubsub",
    "python_version": "3.11",
    "platform": "join",
    "access_policy_id": "123456789012",
    "ci": "none",
    "allow_upstreams": False,
}
