"""The public HTTP API, the customer's pages and the providers' callbacks.

It reads state storage directly and changes customers, sessions, the audit and the journal; every other change
is a command on the bus. It never calls a provider.
"""
