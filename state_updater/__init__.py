"""Where commands become state: a library for the consumer, and the relay and the worker beside it.

The library (`apply`) turns a group of commands into one transaction. It asks `billing` and `booking.rules`
what may happen and writes state, events, ledger and outbox rows. No HTTP, and no call to a provider but from
`tasks`.
"""
