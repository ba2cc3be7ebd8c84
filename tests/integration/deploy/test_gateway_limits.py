"""Who and what the gateway lets in: limits by address, allow-lists, sizes and times."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from runtime.ports import LOOPBACK
from tests.gateway import Gateway
from tests.integration.deploy.conftest import GatewayMaker
from tests.integration.deploy.stubs import Upstream
from web.edge import BODY_LIMIT_BYTES

PROBLEM = "application/problem+json"


def test_signing_in_is_limited_and_nothing_else(
    start_gateway: GatewayMaker, client_api: Upstream, browser: httpx.Client
) -> None:
    gateway = start_gateway(GATEWAY_SIGN_IN_RATE="1r/m")
    answers = [browser.post(f"{gateway.client_url}/api/v1/auth/login") for _ in range(22)]

    assert [answer.status_code for answer in answers] == [200] * 21 + [429]
    assert answers[-1].headers["Content-Type"] == PROBLEM
    assert answers[-1].headers["Retry-After"] == "5"
    assert answers[-1].json() == {
        "type": "urn:billbus:problem:too_many_requests",
        "title": "Too many requests; wait before the next one",
        "status": 429,
        "code": "too_many_requests",
    }
    assert browser.post(f"{gateway.client_url}/api/v1/auth/%6cogin").status_code == 429
    assert browser.get(f"{gateway.client_url}/api/v1/me").status_code == 200
    assert len(client_api.seen) == 22


@pytest.mark.parametrize("path", ["/admin/login", "/admin/api/v1/sign-in", "/admin/invitation"])
def test_staffs_signing_in_is_limited(
    start_gateway: GatewayMaker, admin_api: Upstream, browser: httpx.Client, path: str
) -> None:
    gateway = start_gateway(GATEWAY_SIGN_IN_RATE="1r/m")
    for _ in range(21):
        browser.post(gateway.admin_url + path)
    assert browser.post(gateway.admin_url + path).status_code == 429
    assert len(admin_api.seen) == 21


def test_limits_of_the_api_and_of_pages_are_apart_and_callbacks_have_none(
    start_gateway: GatewayMaker, browser: httpx.Client
) -> None:
    gateway = start_gateway(GATEWAY_API_RATE="1r/m", GATEWAY_PAGE_RATE="1r/m")

    def ask(path: str) -> list[httpx.Response]:
        return [browser.get(gateway.client_url + path) for _ in range(103)]

    api, pages, callbacks = ask("/api/v1/plans"), ask("/"), ask("/callbacks/cloudpayments/1/pay")
    assert [api[100].status_code, api[102].status_code] == [200, 429]
    assert [pages[100].status_code, pages[102].status_code] == [200, 429]
    assert api[102].headers["Content-Type"] == PROBLEM
    assert pages[102].headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Слишком много запросов" in pages[102].text
    assert {answer.status_code for answer in callbacks} == {200}


def test_callbacks_come_from_the_providers_networks_alone(
    start_gateway: GatewayMaker,
    access: Callable[[str, str], Path],
    client_api: Upstream,
    browser: httpx.Client,
) -> None:
    gateway = start_gateway(access("callbacks.conf", "allow 203.0.113.0/24;\ndeny all;\n"))
    refused = browser.post(f"{gateway.client_url}/callbacks/cloudpayments/1/pay")

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert client_api.seen == []
    assert browser.get(f"{gateway.client_url}/").status_code == 200


def test_admin_is_for_allowed_networks_alone(
    start_gateway: GatewayMaker,
    access: Callable[[str, str], Path],
    admin_api: Upstream,
    browser: httpx.Client,
) -> None:
    gateway = start_gateway(access("admin.conf", "allow 203.0.113.0/24;\ndeny all;\n"))

    for path in ("/", "/admin/login", "/admin/api/v1/", "/admin/api/v1/me", "/admin/statics/a.css"):
        assert browser.get(gateway.admin_url + path).status_code == 403
    assert admin_api.seen == []
    assert browser.get(f"{gateway.client_url}/").status_code == 200


def test_admin_may_ask_for_a_certificate(
    start_gateway: GatewayMaker,
    access: Callable[[str, str], Path],
    certificate: Path,
    admin_api: Upstream,
    browser: httpx.Client,
) -> None:
    authority = f"ssl_client_certificate {certificate / 'fullchain.pem'};\nssl_verify_client on;\n"
    gateway = start_gateway(access("admin_client_certificate.conf", authority))

    assert browser.get(f"{gateway.admin_url}/admin/").status_code == 403
    assert browser.get(f"{gateway.client_url}/").status_code == 200
    assert admin_api.seen == []


def test_another_proxy_before_it_says_who_came(
    start_gateway: GatewayMaker,
    access: Callable[[str, str], Path],
    client_api: Upstream,
    browser: httpx.Client,
) -> None:
    words = "set_real_ip_from 127.0.0.0/8;\nreal_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n"
    gateway = start_gateway(access("real_ip.conf", words))
    browser.get(f"{gateway.client_url}/", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})

    assert client_api.last.header("X-Forwarded-For") == ["203.0.113.9"]


def test_body_is_as_long_as_the_application_takes(
    gateway: Gateway, client_api: Upstream, browser: httpx.Client
) -> None:
    url = f"{gateway.client_url}/api/v1/subscriptions"
    assert browser.post(url, content=b"x" * BODY_LIMIT_BYTES).status_code == 200
    assert len(client_api.last.body) == BODY_LIMIT_BYTES

    refused = browser.post(url, content=b"x" * (BODY_LIMIT_BYTES + 1))
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert len(client_api.seen) == 1


def test_headers_that_are_too_long_are_refused_with_a_reason(
    gateway: Gateway, client_api: Upstream, browser: httpx.Client
) -> None:
    assert browser.get(f"{gateway.client_url}/", headers={"Cookie": "x" * 7000}).status_code == 200
    answer = browser.get(f"{gateway.client_url}/", headers={"Cookie": "x" * 40_000})

    assert answer.status_code == 431
    assert len(client_api.seen) == 1


@pytest.mark.slow
def test_client_that_dawdles_with_its_head_is_cut(gateway: Gateway) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((LOOPBACK, gateway.https_port), 20) as plain,
        context.wrap_socket(plain) as tls,
    ):
        began = time.monotonic()
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(OSError):  # cut, or closed: neither is an answer
            assert tls.recv(1000) == b""
        assert 5 < time.monotonic() - began < 15
