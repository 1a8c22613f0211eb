"""How long a question may take, and how long it takes at most where nobody says it."""

from msgspec import Struct


class Budget(Struct, frozen=True):
    """Seconds a question may take; then it is not answered, and nothing may be sent."""

    one: float = 2.0
    many: float = 10.0
    """For a list of recipients."""
