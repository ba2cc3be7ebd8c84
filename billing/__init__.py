"""What billing means, pure: money, periods, and the invoice, payment, refund and subscription machines.

Called by the handlers of `state_updater`, the APIs (for what is allowed) and the tests.
Nothing here does I/O, reads the clock or knows a table.
"""
