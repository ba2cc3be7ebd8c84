"""Whatever a dashboard may say has its words, in both languages."""

import re
from importlib.resources import files

import pytest

from admin_api.dashboards.charts import CHARTS, INVOICE_STATES, STEP_OF_STATE, STEPS
from admin_api.dashboards.context import age_text, bytes_text
from admin_api.dashboards.periods import PRESETS
from admin_api.dashboards.platform import PLATFORM_CHARTS
from admin_api.pages.words import knows
from admin_api.pages.words.dashboards import WORDS
from billing.invoices import INVOICE
from billing.payments import PAYMENT
from providers.port import DeclineCategory

TEMPLATES = files("admin_api.pages") / "templates" / "dashboard"


def said_by_code() -> list[str]:
    charts = [*CHARTS.values(), *PLATFORM_CHARTS.values()]
    return [
        *(f"chart.{chart.name}{part}" for chart in charts for part in ("", ".note", ".empty")),
        *(f"chart.column.{column.name}" for chart in charts for column in chart.columns),
        *(f"funnel.{step}" for step in STEPS),
        *(f"state.invoice.{state}" for state in INVOICE_STATES),
        *(f"decline.category.{category}" for category in DeclineCategory),
        *(f"period.{name}" for name in PRESETS),
        *(f"unapplied.invoice_{state}" for state in INVOICE.states if state != "open"),
    ]


@pytest.mark.parametrize("key", said_by_code())
def test_code_says_only_what_there_are_words_for(key: str) -> None:
    assert knows(key)


@pytest.mark.parametrize("name", ["dashboard.html", "platform.html", "pieces.html"])
def test_templates_say_only_what_there_are_words_for(name: str) -> None:
    keys = re.findall(r"say\(\s*[\"']([\w.]+)[\"']\s*[,)]", (TEMPLATES / name).read_text())
    assert keys
    assert [key for key in keys if not knows(key)] == []


@pytest.mark.parametrize("key", WORDS)
def test_both_languages_name_the_same_facts(key: str) -> None:
    russian, english = (set(re.findall(r"\{(\w+)", words)) for words in WORDS[key])
    assert russian == english


def test_every_state_has_its_place() -> None:
    assert set(INVOICE_STATES) == set(INVOICE.states)
    assert set(STEP_OF_STATE) == set(PAYMENT.states)


@pytest.mark.parametrize(
    ("seconds", "russian"), [(0, "0 с"), (59, "59 с"), (60, "1 мин"), (7_300, "2 ч"), (180_000, "2 дня")]
)
def test_ages_are_told_in_the_largest_unit(seconds: int, russian: str) -> None:
    assert age_text(seconds, "ru") == russian


def test_sizes_are_told_in_their_unit() -> None:
    assert bytes_text(1_023, "en") == "1023\u00a0B"
    assert bytes_text(1_536, "ru") == "1,5\u00a0КиБ"
    assert bytes_text(5 * 1024**3, "en") == "5.0\u00a0GiB"
