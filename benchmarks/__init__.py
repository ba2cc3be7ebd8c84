"""How fast the product is, by its real processes on real servers of this machine.

Run by hand: `python -m benchmarks.commands`, `.growth`, `.reads`, `.accept`, `.admin`. No test judges the
speed; some see that each still runs. The product never imports this room.
"""
