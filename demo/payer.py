"""A person at the provider's payment page: reads it, presses a button of it, follows where it leads.

Called by the story. It does what a browser without JavaScript would do, and nothing else.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from demo.expectations import StepFailed, expect

PAGE_SECONDS_MAX = 15.0


@dataclass
class Form:
    """A form of a page: where it goes, and what it sends along."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    text: str = ""


class _Page(HTMLParser):
    """Forms with their words, links with theirs, and the words of the whole page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(attributes.get("action", ""))
            self.forms.append(self._open)
        elif tag == "input" and self._open is not None and "name" in attributes:
            self._open.fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._open is not None:
            self._open.text += f" {data.strip()}"


@dataclass(frozen=True)
class Paid:
    """What the payer saw: the page's words before and after pressing."""

    before: str
    after: str


def press_button(url: str, label: str) -> Paid:
    """Opens the page and submits the form whose words hold `label`. Raises StepFailed."""
    try:
        with httpx.Client(timeout=PAGE_SECONDS_MAX, follow_redirects=True, trust_env=False) as browser:
            answer = browser.get(url)
            expect(answer.status_code == 200, f"the payment page at {url}", answer.status_code)
            page = _read(answer.text)
            form = next((one for one in page.forms if label in one.text.split()), None)
            if form is None:
                raise StepFailed(f"a button {label} on the payment page", _spoken(page))
            pressed = browser.post(urljoin(str(answer.url), form.action), data=form.fields)
    except httpx.HTTPError as error:
        raise StepFailed(f"the payment page at {url}", repr(error)) from error
    expect(pressed.status_code == 200, "a page after pressing the button", pressed.status_code)
    return Paid(_spoken(page), _spoken(_read(pressed.text)))


def _read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    return page


def _spoken(page: _Page) -> str:
    """The words with ordinary spaces."""
    return " ".join(" ".join(page.words).split())
