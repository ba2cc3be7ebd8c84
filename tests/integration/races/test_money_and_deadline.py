"""A payment and the deadline of its hold at the same instant, a thousand times."""

import random
from collections import Counter

import pytest

from tests.integration.races.trials import ENDINGS, GIVEN_AGAIN, KEPT, LOST, play, set_up
from tests.integration.state_updater.stages import Stage

pytestmark = pytest.mark.slow

TRIAL_COUNT = 1_000
RIVAL_SHARE = 0.4
# Each order must have occurred, or nothing has been tried. Of these trials some 450, 420 and 120 are usual.
WANTED = {KEPT: 100, GIVEN_AGAIN: 100, LOST: 20}


@pytest.mark.timeout(300)
def test_money_and_deadline_at_once_end_in_one_of_three_ways(stage: Stage) -> None:
    chance = random.Random(20_260_101)
    trials = set_up(stage, TRIAL_COUNT, RIVAL_SHARE, chance)
    play(stage, trials, chance)
    endings = [trial.ending(stage) for trial in trials]
    assert [ending for ending in endings if ending not in ENDINGS] == []
    seen = Counter(ENDINGS[ending] for ending in endings)
    assert seen.total() == TRIAL_COUNT
    assert all(seen[name] >= least for name, least in WANTED.items()), seen
