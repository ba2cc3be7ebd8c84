"""The story's frame: what its table can show, and whom it chooses."""

import pytest

from demo.expectations import StepFailed
from demo.guest import choose
from demo.story import STEPS
from demo.telling import PLAIN_TITLE_WIDTH


def test_every_step_has_a_title_of_its_own_that_fits_the_column() -> None:
    titles = [title for title, _ in STEPS]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) <= PLAIN_TITLE_WIDTH
    assert titles[-1] == "The books are checked"


def test_the_first_hall_that_an_hour_can_be_booked_in_is_chosen() -> None:
    halls = [{"name": "recording", "minutes_min": 120}, {"name": "small", "minutes_min": 60}]
    assert choose(halls)["name"] == "small"
    with pytest.raises(StepFailed, match="booked for an hour"):
        choose(halls[:1])
