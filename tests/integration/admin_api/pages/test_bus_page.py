"""The page about the bus: whole, and nothing on it comes from another host."""

import re

import pytest
from httpx import Client

from bus.documents.asyncapi import document
from bus.documents.catalog import described
from tests.integration.admin_api.conftest import Office

BUS = "/admin/api/v1/bus"


@pytest.fixture(scope="module")
def page(address: str, office: Office) -> str:
    """As anybody gets it: it says nothing of a studio."""
    with Client(base_url=address, headers={"Host": office.host}) as stranger:
        answer = stranger.get(BUS)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        return answer.text


def test_every_message_is_on_it_with_all_its_fields(page: str) -> None:
    articles = dict(re.findall(r'<article id="([^"]+)">(.*?)</article>', page, re.DOTALL))
    for one in described():
        article = articles[one.name]
        shown = re.findall(r"<tr><td><code>([^<]+)</code></td>", article)
        assert shown == [field.name for field in one.fields], one.name
        assert all(f'"{name}":' in article.replace("&#34;", '"') for name in one.example), one.name


def test_every_link_within_it_leads_somewhere(page: str) -> None:
    places = set(re.findall(r'\bid="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert len(links) > 40
    assert links <= places


def test_what_it_needs_is_here_and_the_document_is_beside_it(address: str, office: Office, page: str) -> None:
    assert "//" not in page.replace("https://studio.example", "")
    assert "<script" not in page
    with Client(base_url=address, headers={"Host": office.host}) as stranger:
        for href in re.findall(r'<link rel="stylesheet" href="([^"]+)"', page):
            assert stranger.get(href).headers["content-type"].startswith("text/css")
        answer = stranger.get(f"{BUS}/asyncapi.json")
        assert (answer.status_code, answer.json()) == (200, document())
