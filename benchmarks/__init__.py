"""How fast commands are applied, by the real processes on real servers of this machine.

Run by hand: `python -m benchmarks.commands`. No test judges the speed; one sees that it still runs and leaves
clean books. The product never imports this room.
"""
