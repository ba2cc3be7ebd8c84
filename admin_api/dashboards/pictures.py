"""What each chart's rows look like: which bars, in which colors, with which words. Called by `context`.

Long periods are drawn week by week, from Monday to Sunday; the tables have every day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from babel.dates import format_skeleton
from babel.numbers import format_compact_decimal, get_currency_precision

from admin_api.dashboards import theme
from admin_api.dashboards.drawing import Drawing, Series
from admin_api.dashboards.views import (
    Charts,
    DeclineReason,
    FunnelStep,
    InvoicesInState,
    PlatformDashboard,
    RevenueDay,
    StudioPaymentsDay,
    SubscriptionsDay,
)
from admin_api.pages.formats import number_text
from admin_api.pages.words import Language, knows, say

# More days than that are drawn as weeks.
DAYS_DRAWN_MAX: Final = 45
STUDIOS_DRAWN_MAX: Final = len(theme.SERIES_COLORS)
REASONS_DRAWN_MAX: Final = 10
WORD_LENGTH_MAX: Final = 28

Summed = Mapping[date, Sequence[int]]


def revenue_drawing(rows: Sequence[RevenueDay], currency: str, language: Language) -> Drawing:
    """One currency's; what was given back hangs below the line."""
    days = {row.on: (row.received_minor, -row.refunded_minor) for row in rows if row.currency == currency}
    return _over_days(
        say(language, "chart.revenue_by_day"),
        _full(days, [row.on for row in rows]),
        [
            (f"{say(language, 'chart.column.received_minor')}, {currency}", theme.GREEN),
            (f"{say(language, 'chart.column.refunded_minor')}, {currency}", theme.PURPLE),
        ],
        partial(sum_short, currency=currency, language=language),
        language,
    )


def subscriptions_drawing(rows: Sequence[SubscriptionsDay], language: Language) -> Drawing:
    """Those that began stand on the line, those that were canceled hang below it."""
    return _over_days(
        say(language, "chart.subscriptions_by_day"),
        {row.on: (row.started, -row.canceled) for row in rows},
        [
            (say(language, "chart.column.started"), theme.STATE_COLORS["active"]),
            (say(language, "chart.column.canceled"), theme.STATE_COLORS["canceled"]),
        ],
        partial(_whole, language=language),
        language,
    )


def invoices_drawing(rows: Sequence[InvoicesInState], language: Language) -> Drawing:
    return _lying(
        say(language, "chart.invoices_by_state"),
        [(code_word("state", row.state, language), _color(row.state), row.count) for row in rows],
        language,
    )


def funnel_drawing(rows: Sequence[FunnelStep], language: Language) -> Drawing:
    return _lying(
        say(language, "chart.payment_funnel"),
        [(code_word("step", row.step, language), _color(row.step), row.count) for row in rows],
        language,
    )


def declines_drawing(rows: Sequence[DeclineReason], language: Language) -> Drawing:
    """The most frequent reasons; the table has all."""
    return _lying(
        say(language, "chart.declines"),
        [
            (_cut(code_word("code", row.code, language)), theme.STATE_COLORS["declined"], row.count)
            for row in rows[:REASONS_DRAWN_MAX]
        ],
        language,
    )


def payments_drawing(
    rows: Sequence[StudioPaymentsDay], days: Sequence[date], currency: str, language: Language
) -> Drawing:
    """One currency's, studio over studio; those that took least are one color together."""
    mine = [row for row in rows if row.currency == currency]
    names = {row.studio_id: row.studio for row in mine}
    totals = defaultdict[UUID, int](int)
    for row in mine:
        totals[row.studio_id] += row.received_minor
    drawn = sorted(totals, key=lambda one: (-totals[one], one))[:STUDIOS_DRAWN_MAX]
    words = [(_cut(names[one]), color) for one, color in zip(drawn, theme.SERIES_COLORS, strict=False)]
    if len(totals) > len(drawn):
        words.append((say(language, "chart.other_studios"), theme.GREY))
    by_day = {day: [0] * len(words) for day in days}
    for row in mine:
        position = drawn.index(row.studio_id) if row.studio_id in drawn else len(drawn)
        by_day[row.on][position] += row.received_minor
    say_money = partial(sum_short, currency=currency, language=language)
    return _over_days(say(language, "chart.payments_by_studio_and_day"), by_day, words, say_money, language)


def drawings_of(charts: Charts, currency: str, language: Language) -> Mapping[str, Sequence[Drawing]]:
    """By the chart's name; revenue has one for each currency, the studio's own first."""
    others = sorted({row.currency for row in charts.revenue_by_day} - {currency})
    return {
        "revenue_by_day": [
            revenue_drawing(charts.revenue_by_day, each, language) for each in (currency, *others)
        ],
        "invoices_by_state": [invoices_drawing(charts.invoices_by_state, language)],
        "payment_funnel": [funnel_drawing(charts.payment_funnel, language)],
        "declines": [declines_drawing(charts.declines, language)],
        "subscriptions_by_day": [subscriptions_drawing(charts.subscriptions_by_day, language)],
    }


def platform_drawings_of(
    board: PlatformDashboard, days: Sequence[date], language: Language
) -> Mapping[str, Sequence[Drawing]]:
    """One drawing for each currency that something was paid in."""
    rows = board.payments_by_studio_and_day
    return {
        "payments_by_studio_and_day": [
            payments_drawing(rows, days, total.sum.currency, language) for total in board.numbers.payments
        ]
    }


def sum_short(amount_minor: float, currency: str, language: Language) -> str:
    """`150 тыс.`: what stands beside a line of the grid; the currency is in the legend."""
    amount = Decimal(round(amount_minor)).scaleb(-get_currency_precision(currency))
    return str(format_compact_decimal(amount, locale=language, fraction_digits=1))


def code_word(column: str, code: str, language: Language) -> str:
    """A state, a step, a category or a provider's code in words; an unknown code as it is."""
    key = _WORD_KEYS.get(column, "{}").format(code)
    return say(language, key) if knows(key) else code


def _over_days(
    title: str,
    by_day: Summed,
    words: Sequence[tuple[str, str]],
    say_value: Callable[[float], str],
    language: Language,
) -> Drawing:
    bars = _by_week(by_day) if len(by_day) > DAYS_DRAWN_MAX else by_day
    return Drawing(
        title,
        [str(format_skeleton("MMMd", day, locale=language)) for day in bars],
        [
            Series(word, color, [values[position] for values in bars.values()])
            for position, (word, color) in enumerate(words)
        ],
        say_value,
    )


def _by_week(by_day: Summed) -> Summed:
    weeks: dict[date, list[int]] = {}
    for day, values in by_day.items():
        monday = day - timedelta(days=day.weekday())
        so_far = weeks.setdefault(monday, [0] * len(values))
        weeks[monday] = [one + other for one, other in zip(so_far, values, strict=True)]
    return weeks


def _full(by_day: Mapping[date, tuple[int, int]], days: Iterable[date]) -> Summed:
    return {day: by_day.get(day, (0, 0)) for day in dict.fromkeys(days)}


def _lying(title: str, bars: Sequence[tuple[str, str, int]], language: Language) -> Drawing:
    # What there is none of takes no room; the table says so.
    there = [bar for bar in bars if bar[2]]
    words, colors, counts = zip(*there, strict=True) if there else ((), (), ())
    series = Series(title, theme.GREY, counts)
    return Drawing(title, words, [series], partial(_whole, language=language), is_lying=True, colors=colors)


def _whole(number: float, language: Language) -> str:
    return number_text(round(number), language) if number == round(number) else ""


def _color(state: str) -> str:
    return theme.STATE_COLORS.get(state, theme.GREY)


def _cut(word: str) -> str:
    return word if len(word) <= WORD_LENGTH_MAX else word[: WORD_LENGTH_MAX - 1] + "…"


_WORD_KEYS: Final[Mapping[str, str]] = {
    "state": "state.invoice.{}",
    "step": "funnel.{}",
    "category": "decline.category.{}",
    "code": "decline.{}",
}
