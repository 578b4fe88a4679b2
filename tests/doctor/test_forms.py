"""Every text that the doctor knows is explained alike in every form in which it is pasted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.baking import Baked, bake
from tests.support.doctor import doctor
from tests.support.log_forms import ENCODINGS, FORMS, forms_of

LOGS = Path(__file__).with_name("logs")
SOURCES = json.loads((LOGS / "sources.json").read_text(encoding="utf-8"))
SENTENCES = json.loads(LOGS.with_name("sentences.json").read_text(encoding="utf-8"))
# A longer text only takes longer.
LONGEST = 8_000
# pip's verbose log is never in a box of Terraform's, which would wrap its lines.
NOT_IN_A_BOX = {"no-wheel-for-runtime.log", "no-wheel-for-runtime.pip-26.log"}
EXPLAIN_ALL = """
import io, json, sys
from closed_function.symptoms.catalogue import load
from closed_function.symptoms.logs import explain
catalogue, values = load(), {"function_project": "a-project", "location": "asia-northeast1"}
for line in open(sys.argv[1], encoding="ascii"):
    found = explain(io.BytesIO(json.loads(line).encode("latin-1")), catalogue, values)
    print(json.dumps([each.cause.id for each in found.explanations]))
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    return bake(tmp_path_factory.mktemp("reader"), gcp_project_id="a-project")


def explain_all(reader: Baked, logs: list[bytes]) -> list[list[str]]:
    """Return the causes of each log, in one process because one for each takes hours."""
    file = reader.path.parent / "logs"
    lines = (json.dumps(log.decode("latin-1")) + "\n" for log in logs)
    file.write_text("".join(lines), encoding="ascii")
    done = reader.run(sys.executable, "-B", "-c", EXPLAIN_ALL, str(file))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def first_cause(explained: object) -> list[str]:
    return [explained] if isinstance(explained, str) else list(explained or [])[:1]  # type: ignore[call-overload]


@pytest.mark.slow
def test_a_text_has_the_same_cause_in_every_form(reader: Baked) -> None:
    assert len(FORMS) + len(ENCODINGS) > 20
    cases = [
        (name, form, log)
        for name, source in SOURCES.items()
        if source["explained_as"] and (LOGS / name).stat().st_size < LONGEST
        for form, log in forms_of((LOGS / name).read_text(encoding="utf-8", errors="replace"))
        if not (form == "Terraform's box" and name in NOT_IN_A_BOX)
    ]
    found = explain_all(reader, [log for _, _, log in cases])
    wrong = [
        (name, form, causes[:1])
        for (name, form, _), causes in zip(cases, found, strict=True)
        if causes[:1] != first_cause(SOURCES[name]["explained_as"])
    ]
    assert len(cases) > 5_000
    assert wrong == []


def test_a_sentence_shows_its_cause_first(reader: Baked) -> None:
    cases = [(cause, each) for cause, sentences in SENTENCES.items() for each in sentences]
    found = explain_all(reader, [each.encode() for _, each in cases])
    wrong = [
        (cause, each, causes)
        for (cause, each), causes in zip(cases, found, strict=True)
        if causes[:1] != [cause]
    ]
    assert len(cases) > 100
    assert wrong == []


AGENT = "service-1@gs-project-accounts.iam.gserviceaccount.com"
TOPIC = "projects/p/topics/t"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        # A service agent, not whoever ran the command.
        (
            f"Error 403: {AGENT} does not have pubsub.topics.publish access to {TOPIC}",
            [
                "The service agent of Cloud Storage (service-1@gs-project-accounts.",
                "gcloud pubsub topics add-iam-policy-binding t --project=p ",
                f"--member=serviceAccount:{AGENT} --role=roles/pubsub.publisher",
            ],
        ),
        # The principal that the audit log names.
        (
            json.dumps(
                [
                    {
                        "protoPayload": {
                            "authenticationInfo": {
                                "principalEmail": "ci@p.iam.gserviceaccount.com"
                            },
                            "authorizationInfo": [
                                {"permission": "run.services.create", "resource": "namespaces/p"}
                            ],
                            "methodName": "CreateService",
                            "status": {"code": 7, "message": "PERMISSION_DENIED"},
                        }
                    }
                ]
            ),
            ["The account ci@p.iam.gserviceaccount.com lacks run.services.create", "roles/run."],
        ),
        (
            "Permission 'secretmanager.secrets.create' denied on resource 'projects/p'",
            [
                "Your account lacks secretmanager.secrets.create on projects/p.",
                "gcloud projects add-iam-policy-binding p --member=user:YOU@example.com ",
                "--role=roles/secretmanager.admin --condition=None",
            ],
        ),
        (
            "Constraint constraints/run.allowedIngress violated for projects/p",
            [
                "An organisation policy (run.allowedIngress) forbids the ingress setting",
                "gcloud org-policies describe run.allowedIngress --project=a-project --effective",
            ],
        ),
    ],
    ids=["an agent", "an audit log", "a creation", "a constraint"],
)
def test_an_answer_names_what_the_sentence_names(log: str, words: list[str], reader: Baked) -> None:
    said = doctor(reader, "explain", log=log.encode())
    for each in words:
        assert each in said.output


def test_an_unknown_failure_is_told_with_its_program_and_two_commands(reader: Baked) -> None:
    log = (
        "google_flux.this: Creating...\n\n╷\n│ Error: Error creating Flux: it is inverted\n│ \n"
        "│   with google_flux.this,\n╵\nerror: subprocess-exited-with-error\n"
        "make: *** [Makefile:81: deploy] Error 1\n"
    )
    said = doctor(reader, "explain", log=log.encode())
    assert "Line 4: Error: Error creating Flux: it is inverted" in said.output
    assert "It is said by Terraform, in: google_flux.this" in said.output
    assert "\n  1. make plan" in said.output
    assert "\n  2. TF_LOG=DEBUG terraform" in said.output
    told = doctor(reader, "explain", "--json", log=log.encode()).json()["first_error"]
    assert (told["program"], told["line"], len(told["next"])) == ("Terraform", 4, 2)


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("healthy.")])
def test_no_failure_is_said_of_success_alone(name: str, reader: Baked) -> None:
    # The control is the test of words that end in success.
    if SOURCES[name]["explained_as"] is None:
        said = doctor(reader, "explain", str(LOGS / name))
        assert "shows no failure" not in said.output
        assert "Its first error:\n" in said.output
