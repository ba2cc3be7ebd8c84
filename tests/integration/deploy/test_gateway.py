"""The gateway: a real nginx with our configuration, before stubs that tell what reached them."""

import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from runtime.ports import LOOPBACK, free_port
from tests.gateway import Gateway
from tests.integration.deploy.conftest import GatewayMaker
from tests.integration.deploy.stubs import Upstream, log_lines, open_names, open_upstream

PROBLEM = "application/problem+json"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0"
LOG_SECONDS_MAX = 5.0


def _log(gateway: Gateway, count: int) -> list[dict[str, object]]:
    """The access log when it has `count` lines: a line is written after its answer."""
    deadline = time.monotonic() + LOG_SECONDS_MAX
    while len(lines := log_lines(gateway.child.read_log())) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(lines) >= count
    return lines


def test_studios_host_reaches_the_client_api_with_its_port(
    gateway: Gateway, client_api: Upstream, browser: httpx.Client
) -> None:
    host = f"studio.example.org:{gateway.https_port}"
    answer = browser.get(f"{gateway.client_url}/api/v1/plans?limit=2", headers={"Host": host})

    assert answer.status_code == 200
    assert (client_api.last.method, client_api.last.path) == ("GET", "/api/v1/plans?limit=2")
    assert client_api.last.header("Host") == [host]


def test_admins_port_reaches_the_admin_api_alone(
    gateway: Gateway, client_api: Upstream, admin_api: Upstream, browser: httpx.Client
) -> None:
    browser.get(f"{gateway.admin_url}/admin/")
    browser.get(f"{gateway.client_url}/admin/")

    assert [seen.path for seen in admin_api.seen] == ["/admin/"]
    assert [seen.path for seen in client_api.seen] == ["/admin/"]


def test_who_asks_is_said_by_the_gateway_alone(
    gateway: Gateway, client_api: Upstream, browser: httpx.Client
) -> None:
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "elsewhere.example",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Request-ID": "chosen-by-the-client",
    }
    answer = browser.get(f"{gateway.client_url}/", headers=forged)

    seen = client_api.last
    assert seen.header("X-Forwarded-For") == [LOOPBACK]
    assert seen.header("X-Forwarded-Proto") == ["https"]
    assert [seen.header(name) for name in ("X-Forwarded-Host", "X-Real-IP", "Forwarded")] == [[], [], []]
    (request_id,) = seen.header("X-Request-ID")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert answer.headers.get_list("X-Request-ID") == [request_id]
    assert _log(gateway, 1)[-1]["trace.id"] == request_id


def test_plain_http_is_sent_on_to_https(gateway: Gateway, browser: httpx.Client) -> None:
    answer = browser.get(f"{gateway.http_url}/pay/1?a=b")

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{gateway.client_url}/pay/1?a=b"


def test_authority_sees_its_challenge_over_plain_http(
    gateway: Gateway, place: Path, browser: httpx.Client
) -> None:
    challenge = place / "acme" / ".well-known" / "acme-challenge" / "token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("answer")

    assert browser.get(f"{gateway.http_url}/.well-known/acme-challenge/token").text == "answer"


@pytest.mark.parametrize(
    ("path", "reached"),
    [("/subscriptions/api/openapi", "/docs"), ("/docs", "/docs"), ("/openapi.json", "/openapi.json")],
)
def test_customers_find_the_documents(
    gateway: Gateway, client_api: Upstream, browser: httpx.Client, path: str, reached: str
) -> None:
    browser.get(gateway.client_url + path)
    assert client_api.last.path == reached


@pytest.mark.parametrize("path", ["/admin/api/v1/", "/admin/api/v1/docs"])
def test_staff_finds_the_documents(
    gateway: Gateway, admin_api: Upstream, browser: httpx.Client, path: str
) -> None:
    browser.get(gateway.admin_url + path)
    assert admin_api.last.path == "/admin/api/v1/docs"


@pytest.mark.parametrize(
    "path", ["/metrics", "/healthz", "/healthz/ready", "//metrics", "/%6detrics", "/x/../metrics"]
)
def test_what_is_for_machines_is_not_there_from_outside(
    gateway: Gateway, client_api: Upstream, admin_api: Upstream, browser: httpx.Client, path: str
) -> None:
    assert browser.get(gateway.client_url + path).status_code == 404
    assert browser.get(gateway.admin_url + path).status_code == 404
    assert client_api.seen == admin_api.seen == []


def test_each_header_of_safety_comes_once(
    gateway: Gateway, browser: httpx.Client, client_api: Upstream
) -> None:
    passed = browser.get(f"{gateway.client_url}/").headers
    own = browser.get(f"{gateway.client_url}/metrics").headers

    assert passed.get_list("Content-Security-Policy") == ["default-src 'self'"]
    assert own.get_list("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
    for headers in (passed, own, browser.get(f"{gateway.admin_url}/admin/").headers):
        assert headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]
        assert headers.get_list("Server") == ["nginx"]
    for name in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control", "X-Request-ID"):
        assert len(own.get_list(name)) == 1


def test_only_what_everybody_gets_is_compressed(gateway: Gateway, browser: httpx.Client) -> None:
    assert browser.get(f"{gateway.client_url}/static/pages.css").headers["Content-Encoding"] == "gzip"
    assert (
        browser.get(f"{gateway.admin_url}/admin/statics/css/static/main.css").headers["Content-Encoding"]
        == "gzip"
    )
    for path in ("availability?from=2026-12-01", "halls", "halls/1/availability"):
        assert browser.get(f"{gateway.client_url}/api/v1/{path}").headers["Content-Encoding"] == "gzip", path
    for path in ("", "api/v1/bookings", "api/v1/invoices"):
        assert "Content-Encoding" not in browser.get(f"{gateway.client_url}/{path}").headers, path
    assert "Content-Encoding" not in browser.get(f"{gateway.admin_url}/admin/").headers


def test_log_has_neither_tokens_nor_queries(
    start_gateway: GatewayMaker, client_api: Upstream, browser: httpx.Client
) -> None:
    gateway = start_gateway(GATEWAY_CLIENT_API=f"{LOOPBACK}:{free_port()}", GATEWAY_PAGE_RATE="1r/m")
    for path in (
        f"/links/{TOKEN}",
        f"//links/{TOKEN}",
        f"/%6cinks/{TOKEN}",
        f"/a/../links/{TOKEN}",
        f"/?q={TOKEN}",
    ):
        assert browser.get(gateway.client_url + path).status_code == 502
    browser.post(f"{gateway.client_url}/links/{TOKEN}", content=b"x" * 70_000)
    for _ in range(101):
        last = browser.get(f"{gateway.client_url}/links/{TOKEN}")
    assert last.status_code == 429

    lines = _log(gateway, 107)
    assert TOKEN not in gateway.child.read_log()
    assert [line["url.path"] for line in lines[:5]] == ["/links/-"] * 4 + ["/"]


def test_log_is_json_whatever_is_sent(gateway: Gateway, browser: httpx.Client) -> None:
    browser.get(f"{gateway.client_url}/%22%5c%0a", headers={"User-Agent": 'a"\\b'})
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((LOOPBACK, gateway.https_port)) as plain, context.wrap_socket(plain) as tls:
        tls.sendall(b'NO"SUCH /\x01 THING\r\n\r\n')
        assert b"400" in tls.recv(1000)

    lines = _log(gateway, 2)
    assert lines[0]["url.path"] == '/"\\\n'
    assert lines[0]["user_agent.original"] == 'a"\\b'
    assert lines[1]["http.response.status_code"] == 400
    assert lines[0]["service.name"] == "nginx"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/plans", PROBLEM),
        ("/callbacks/cloudpayments/1/pay", PROBLEM),
        ("/", "text/html; charset=utf-8"),
    ],
)
def test_application_that_is_away_is_told_as_such(
    start_gateway: GatewayMaker, browser: httpx.Client, path: str, kind: str
) -> None:
    gateway = start_gateway(GATEWAY_CLIENT_API=f"{LOOPBACK}:{free_port()}")
    answer = browser.get(gateway.client_url + path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (502, kind)
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.slow
def test_container_that_was_made_anew_is_found_at_its_new_address(
    start_gateway: GatewayMaker, client_api: Upstream, browser: httpx.Client
) -> None:
    port = client_api.server_port
    with open_upstream("127.0.0.2", port) as anew, open_names(LOOPBACK) as names:
        gateway = start_gateway(GATEWAY_CLIENT_API=f"client_api:{port}", GATEWAY_RESOLVER=names.place)
        url = f"{gateway.client_url}/api/v1/plans"
        _until(lambda: browser.get(url).status_code == 200)
        assert client_api.seen
        names.address = "127.0.0.2"
        _until(lambda: browser.get(url).status_code == 200 and bool(anew.seen))


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
