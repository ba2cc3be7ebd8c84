"""The booking module: time in halls.

The client API mounts `router`; `queries` reads storage, `commands` makes offers, `rules` decides and is pure.
No state is written here: bookings, holds and money move in `state_updater`.
"""
