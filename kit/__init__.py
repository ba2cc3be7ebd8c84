"""The floor of the house: ids, clock, errors and the fence around `transitions`.

Every room stands on this one. Nothing here does I/O or knows a business word.
"""
