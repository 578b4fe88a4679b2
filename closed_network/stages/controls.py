"""Run stage 1: the gate refuses other hosts, and lets Artifact Registry through."""

from __future__ import annotations

import requests
from pip._internal.models.index import PyPI

from closed_network import namespace
from closed_network.report import StageFailedError
from closed_network.stand_in import API_HOST, switch_path

from .reach import show_the_room
from .run import TOOL_TIMEOUT, Run


def show_the_gate(run: Run) -> None:
    """The gate refuses and counts other hosts, and a client reaches nothing of this machine."""
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": run.machine.gate, "https": run.machine.gate}
        session.verify = str(run.machine.authority)
        for name, url in (
            ("the public index", PyPI.simple_url),
            ("any other host", "https://example.com/"),
            ("a host without TLS", "http://example.com/"),
        ):
            show_a_refusal(run, session, name, url)
        url = f"https://{API_HOST}{switch_path(run.repository.index)}"
        headers = {"Authorization": f"Bearer {run.machine.token}"}
        answer = session.get(url, headers=headers, timeout=TOOL_TIMEOUT)
        policy = answer.json().get("vpcscPolicy") if answer.ok else None
        if policy != "DENY":
            raise StageFailedError(f"the stand-in answered {answer.status_code}, not DENY")
    run.report.proven("Artifact Registry is reachable", "the stand-in answers DENY")
    if run.enclosed:
        if not namespace.has_no_way_out():
            raise StageFailedError("the clients' network has a way around the gate")
        run.report.proven(
            "there is no way around the gate", "the clients' network has no route but the gate"
        )
    else:
        run.report.not_proven("there is no way around the gate", run.report.isolation)
    show_the_room(run)


def show_a_refusal(run: Run, session: requests.Session, name: str, url: str) -> None:
    before = len(run.journal.read())
    try:
        status = str(session.get(url, timeout=TOOL_TIMEOUT).status_code)
    except requests.exceptions.ProxyError:
        status = "no tunnel"
    counted = [request for request in run.journal.read(before) if request.refused]
    if status not in ("403", "no tunnel") or len(counted) != 1:
        raise StageFailedError(f"{name} was not refused ({status}, {len(counted)} counted)")
    run.report.proven(f"{name} is refused", f"{len(counted)} request refused and counted")
