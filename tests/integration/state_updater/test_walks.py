"""Random walks through everything that may happen to bookings and their money: all invariants hold after."""

import pytest

from tests.integration.state_updater.shops import faults
from tests.integration.state_updater.stages import Stage
from tests.integration.state_updater.walks import Walk

# Each of the studio's settings is met in both of its ways; more seeds find no more, and take longer.
SEEDS = range(4)
ROUNDS = 30


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_no_money_and_no_time_goes_wrong(house: str, seed: int) -> None:
    stage = Stage(house)
    stage.set_up(refund_policy=("staff", "automatic")[seed % 2])
    stage.set_studio(
        pays_on_site=True,
        holds_limit=6,
        reschedule_hours_before=(0, 24)[seed // 2 % 2],
        late_money=("refund", "staff")[seed // 2 % 2],
    )
    walk = Walk(stage, seed)
    try:
        for _ in range(ROUNDS):
            walk.round()
        assert faults(house) == []
        assert walk.underpaid() == []
        assert {"HoldBooking applied", "RecordPaymentOutcome applied"} <= set(walk.said)
    finally:
        walk.close()
        stage.close()
