"""State storage for everyone: connections by role, the journal, the outbox, sealed secrets, queries.

No business rule lives here: what a row means is decided in `billing` and `state_updater`.
"""
