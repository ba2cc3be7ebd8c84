"""What a step of the story has to tell. Made by the steps, shown by `demo.telling`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """In words, what became of its command if it sent one, and the states it left."""

    what: str
    command: str = ""
    states: str = ""
