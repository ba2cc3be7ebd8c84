import pytest
from starlette.datastructures import Headers

from admin_api.pages.doors import HOME, safe_next
from admin_api.pages.guard import POLICY, is_same_origin

HOST = "studio.example"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": f"https://{HOST}"},
        {"origin": f"https://{HOST}", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_our_own_pages_may_post(headers: dict[str, str]) -> None:
    assert is_same_origin(Headers({"host": HOST, **headers}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"https://{HOST}.evil.example"},
        {"origin": f"https://{HOST}:8443"},
        {"origin": f"https://{HOST}@evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": f"https://{HOST}", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
    ],
)
def test_nobody_else_may_post(headers: dict[str, str]) -> None:
    assert not is_same_origin(Headers({"host": HOST, **headers}))


def test_without_a_host_nothing_is_the_same_origin() -> None:
    assert not is_same_origin(Headers({"origin": "https://"}))


@pytest.mark.parametrize("given", ["/admin/invoices/list?state=open", "/admin/", "/admin/do/set_price/1"])
def test_after_signing_in_one_goes_on_to_a_page_of_ours(given: str) -> None:
    assert safe_next(given) == given


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "https://evil.example/admin/",
        "//evil.example/admin/",
        "/\\evil.example",
        "/admin/\\..\\..",
        "/elsewhere",
        "/admin/\r\nSet-Cookie: a=b",
        "/admin/" + "a" * 600,
    ],
)
def test_after_signing_in_one_goes_nowhere_else(given: str | None) -> None:
    assert safe_next(given) == HOME


def test_nothing_inline_and_nothing_foreign_may_run() -> None:
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "default-src 'none'" in POLICY
