"""What is known of a knob before it is turned."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that can be turned: its name, what it does, and how a value is written.

    `aliases` are names that other programs have for it; a mistake's hint knows them.
    """

    name: str
    help: str
    type: type
    models: tuple[str, ...] = ("dense", "conv")
    per_layer: bool = False
    aliases: tuple[str, ...] = ()
