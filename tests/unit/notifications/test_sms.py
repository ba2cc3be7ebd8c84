"""Short messages are counted as providers count them, and the log never says what is in one."""

from uuid import UUID

import pytest

from notifications.sms import ConsoleSms, count_segments
from runtime.logging import configure


@pytest.mark.parametrize(
    ("text", "segments"),
    [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("я" * 70, 1), ("я" * 71, 2), ("😀" * 35, 1)],
)
def test_segments(text: str, segments: int) -> None:
    assert count_segments(text) == segments


def test_the_console_tells_how_long_it_is_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")
    ConsoleSms().send(UUID(int=1), UUID(int=2), "Счёт на 1 490 ₽")
    line = capsys.readouterr().out
    assert '"segments":1' in line
    assert "490" not in line
