"""The bus-facing process: receives commands in groups, has them applied, acknowledges, parks what cannot be.

It owns no business rule: what a command means is in `state_updater`. Run by `python -m billing_consumer`.
"""
