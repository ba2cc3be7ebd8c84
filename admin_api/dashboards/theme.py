"""The colors and letters of the charts. A state has one color wherever it is drawn.

The colors are told apart by people who see red and green alike (after Okabe and Ito, darkened for white
paper), and none of them speaks alone: each bar has its word beside it.
"""

from collections.abc import Mapping
from typing import Final

GREY: Final = "#8b95a5"
BLUE: Final = "#0065a8"
AZURE: Final = "#4fa8de"
GREEN: Final = "#00875f"
ORANGE: Final = "#d66a00"
PURPLE: Final = "#9a4f96"
LIGHT_PURPLE: Final = "#c48bc0"
DARK: Final = "#39424f"
AMBER: Final = "#e0a100"

STATE_COLORS: Final[Mapping[str, str]] = {
    "draft": GREY,
    "incomplete": GREY,
    "intent": GREY,
    "open": BLUE,
    "sent": BLUE,
    "requires_action": BLUE,
    "pending": AZURE,
    "unknown": AMBER,
    "paid": GREEN,
    "succeeded": GREEN,
    "active": GREEN,
    "declined": ORANGE,
    "not_sent": ORANGE,
    "expired": ORANGE,
    "partially_refunded": LIGHT_PURPLE,
    "refunded": PURPLE,
    "void": DARK,
    "canceled": DARK,
    # Steps of the funnel that are no state.
    "started": GREY,
    "page_shown": BLUE,
    "under_way": AZURE,
}
# Studios side by side; what is left of them is grey.
SERIES_COLORS: Final = (BLUE, ORANGE, GREEN, PURPLE, AMBER, AZURE)

INK: Final = "#1d2430"
QUIET: Final = "#566073"
LINE: Final = "#dfe3ea"
PAPER: Final = "#ffffff"
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif"
