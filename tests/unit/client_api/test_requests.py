"""Headers that carry decisions: how long to wait, which host, what a refusal means."""

import pytest
from starlette.requests import Request

from kit.errors import BillbusError, InvalidMessage, InvariantViolated, NotFound, Refused, Transient
from web.commands import wait_seconds
from web.hosts import host_of
from web.problems import problem_of_error, problem_of_refusal


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0),
        ("wait=10", 10),
        ("respond-async, wait=5", 5),
        ("wait=5; foo=bar", 5),
        ("WAIT=7", 7),
        ("wait=999999", 30),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=99999999999", 0),
        ("await=5", 0),
        ("wait", 0),
    ],
)
def test_prefer_says_how_long_to_wait(prefer: str, seconds: int) -> None:
    assert wait_seconds(prefer) == seconds


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Studio.Example.org", "studio.example.org"),
        ("localhost:8000", "localhost"),
        ("localhost:", "localhost"),
        ("[::1]:80", "[::1]"),
        ("", ""),
        ("a" * 300, ""),
        ("\u00e9", ""),
        ("localhost:80@elsewhere.example.org", ""),
        ("localhost:1/path", ""),
        ('localhost:"><script>', ""),
        ("localhost:80:80", ""),
        ("localhost:999999", ""),
        ("[localhost]:80", ""),
    ],
)
def test_the_host_is_taken_without_its_port(header: str, host: str) -> None:
    request = Request({"type": "http", "headers": [(b"host", header.encode("latin-1"))]})
    assert host_of(request) == host


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound(what="invoice"), 404),
        (Refused("payment_in_progress"), 409),
        (Refused("idempotency_key_reused"), 422),
        (InvalidMessage(), 422),
        (Transient(), 503),
        (InvariantViolated(), 500),
    ],
    ids=str,
)
def test_every_family_of_errors_has_its_status(error: BillbusError, status: int) -> None:
    assert problem_of_error(error).status == status


def test_a_recorded_refusal_keeps_its_code_and_facts() -> None:
    problem = problem_of_refusal({"code": "not_due", "expires_at": "2026"})
    assert (problem.status, problem.code, problem.facts) == (
        409,
        "not_due",
        {"facts": {"expires_at": "2026"}},
    )
    assert problem_of_refusal({"code": "not_found", "what": "invoice"}).status == 404
