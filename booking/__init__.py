"""The booking module: time in halls.

The client API mounts `router`; `queries` reads storage, `commands` accepts and sends, `rules` decides and is
pure. No state is written here: bookings, holds and money move in `state_updater`.
"""
