"""Messages to customers: planned in Postgres, rendered from templates, sent when due, kept as history.

Whoever finds an occasion plans; the worker sends. Decides nothing about billing.
"""
