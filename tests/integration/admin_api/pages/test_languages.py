import re

from httpx import Client

from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, Things, hidden_fields

_CYRILLIC = re.compile("[А-Яа-яЁё]")


def _words(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page)


def test_a_person_chooses_the_language_of_the_pages(browse: Browse, office: Office, things: Things) -> None:
    browser = browse("manager")
    path = f"/admin/invoices/details/{things.invoice}"
    for locale, word in (("ru", "Счёт"), ("en", "Invoice")):
        form = hidden_fields(browser.get("/admin/do/set_language"))
        answer = browser.post("/admin/do/set_language", data={"locale": locale, **form})
        assert answer.status_code == 303
        page = browser.get(path, headers={"Accept-Language": "de"})
        assert f'<html lang="{locale}">' in page.text
        assert word in page.text


def test_english_pages_have_no_russian_words(owner: Client, things: Things) -> None:
    for path in (
        "/admin/refunds/list",
        f"/admin/refunds/details/{things.refund}",
        "/admin/profile",
        "/admin/staff/list",
    ):
        assert not _CYRILLIC.search(_words(owner.get(path).text)), path


def test_before_signing_in_the_browser_is_asked_and_then_the_studio(browse: Browse) -> None:
    nobody = browse(None)
    for headers, locale in (
        ({"Accept-Language": "en-US,en;q=0.9"}, "en"),
        ({"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"}, "ru"),
        ({"Accept-Language": "de"}, "ru"),
        ({"Accept-Language": ""}, "ru"),
    ):
        assert f'<html lang="{locale}">' in nobody.get("/admin/login", headers=headers).text, headers
    assert '<html lang="en">' in nobody.get("/admin/login?lang=en").text
    assert '<html lang="en">' in nobody.get("/admin/login").text, "the choice is remembered"
