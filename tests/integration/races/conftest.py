"""One database per module; after each every invariant must hold."""

from tests.integration.state_updater.conftest import house, stage

__all__ = ["house", "stage"]
