"""What merged clients tell each other, as it is read from its topic: a message in one record, or in numbered parts.

Parts are kept with the state until the last one is there; then the message is judged as one, in the place of that record.
Who published them may do so again, from the first or from any other on: of what is judged, and of what is there already, a
copy changes nothing.
"""

from gate.effects import Greeting
from state.codec import greeting_from_bytes
from state.messages import Part, digest_of, message_from_bytes
from state.notes import PARTS
from streams.border.wire import Rejected
from streams.worker.progress import Notes


def understood(value: bytes | None) -> Greeting | Part | Rejected:
    """A record's value; raises `UnknownLayout`: what a newer worker says may forbid offers, and waits for one."""
    try:
        return message_from_bytes(value or b"")
    except ValueError as error:
        return _refused(error)


class Parts:
    """The messages of which some parts came."""

    def __init__(self, notes: Notes) -> None:
        """`notes` are the partition's own."""
        self._notes = notes

    def joined(self, part: Part) -> Greeting | Rejected | None:
        """The message whose last missing part this is; None for any other part. Raises as `understood` does."""
        try:
            whole = self._whole(part)
            return None if whole is None else greeting_from_bytes(whole)
        except ValueError as error:
            return _refused(error)

    def _whole(self, part: Part) -> bytes | None:
        name = f"{PARTS}{part.message.hex()}"
        noted = self._notes.noted(name)
        if noted == b"":
            return None
        came = bytearray(part.many) if noted is None else bytearray(noted)
        if len(came) != part.many:
            raise ValueError(f"it is a part of {part.many}, and another one of the same message of {len(came)}")
        came[part.number] = 1
        self._notes.note(f"{name} {part.number}", part.said)
        self._notes.note(name, bytes(came))
        return self._taken(name, part) if all(came) else None

    def _taken(self, name: str, last: Part) -> bytes:
        """All that came of a message, which is kept no longer; what makes none is to come anew."""
        said = b"".join([self._notes.noted(f"{name} {n}") or b"" for n in range(last.many)])
        for n in range(last.many):
            self._notes.note(f"{name} {n}", b"")
        right = digest_of(said) == last.message
        self._notes.note(name, b"" if right else bytes(last.many))
        if not right:
            raise ValueError("its parts are not those of one message")
        return said


def _refused(error: ValueError) -> Rejected:
    return Rejected("BAD_FIELD", f"no message between clients: {error}")
