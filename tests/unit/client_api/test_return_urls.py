"""Only listed origins, compared exactly, whatever a browser would read into the text."""

import pytest

from client_api.return_urls import is_allowed_return_url, origin_of

ALLOWED = ("https://shop.example.org", "http://localhost:8000")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.org",
        "https://shop.example.org/",
        "https://shop.example.org/thanks?order=1&x=a@b#top",
        "https://shop.example.org?x=1",
        "http://localhost:8000/pay/1/done",
    ],
)
def test_a_listed_origin_is_allowed(url: str) -> None:
    assert is_allowed_return_url(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "//evil.example.org",
        "///evil.example.org",
        "https:evil.example.org",
        "https:/shop.example.org",
        "https:\\\\shop.example.org",
        "https://shop.example.org\\@evil.example.org",
        "https://shop.example.org@evil.example.org",
        "https://shop.example.org:x@evil.example.org",
        "https://user@shop.example.org",
        "https://shop.example.org.evil.example.org",
        "https://evil.example.org/https://shop.example.org",
        "https://shop.example.org:444",
        "http://shop.example.org",
        "HTTPS://shop.example.org",
        "https://SHOP.example.org",
        "https://shop.example.org/\r\nSet-Cookie: a=b",
        "https://shop.example.org/\t",
        "https://shop.example.org/\n",
        " https://shop.example.org/",
        "https://shop.example.org/\x00",
        "https://shop.example.org/<script>",
        'https://shop.example.org/"',
        "https://shop.example.org/я",
        "https://xn--shop.example.org",
        "javascript:alert(1)//https://shop.example.org",
        "data:text/html,x",
        "https://shop.example.org/" + "x" * 1_100,
    ],
)
def test_anything_else_is_not(url: str) -> None:
    assert not is_allowed_return_url(url, ALLOWED)


def test_no_listed_origin_means_no_url() -> None:
    assert not is_allowed_return_url("https://shop.example.org/", ())


def test_the_origin_keeps_its_port() -> None:
    assert origin_of("http://127.0.0.1:9/bundles/x.js") == "http://127.0.0.1:9"
