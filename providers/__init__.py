"""Payment providers: one port and one folder per provider.

Called by the worker's tasks (`client` folders, the only network here), by the client API (callbacks, widget)
and by the state updater (decline categories). Never here: storage, the bus, settings, or a decision about
what an outcome means for an invoice.
"""
