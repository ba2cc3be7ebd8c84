"""The booking module: time in halls.

The client API mounts `router`; `queries` read storage, `commands` are accepted and sent, `offers` are made,
`quotes` are signed, `rules` decide and are pure. No state is written here: bookings, holds and money move in
`state_updater`.
"""
