"""The command `billbus`: what an operator or a deploy does by hand. One file per group of commands.

Nothing here decides: each command calls the room that does, prints, and sets the exit code.
"""
