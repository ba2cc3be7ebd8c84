"""The interaction bus: what messages are (by topic), the port, and its two transports.

`messages` says what may be said, `topology` where it goes, `rabbit` and `embedded` carry it. No domain state.
"""
