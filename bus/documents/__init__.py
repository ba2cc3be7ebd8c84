"""What travels on the bus, told to people who integrate: described messages, and AsyncAPI made of them.

Called by `billbus docs asyncapi` and by the page beside the API's documents. Everything follows from the
registry, the topology and the subscriptions; only meanings and examples are written here.
"""
