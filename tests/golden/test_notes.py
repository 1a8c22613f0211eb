"""How far a partition has come, as it is noted with its state: a worker of any version finds what another one noted."""

from gate.dossier import BEFORE_EVERYTHING
from streams.closings import Limit
from streams.logs.merge import Log
from streams.worker.progress import Came, Place, Progress, place_of

STORED = {
    "policy": b"1",
    "register": b"9",
    "between": b"7",
    "answers": b"31",
    "recorded": b"1772445600000000",
    "closed": b"1772445500000000",
    "limits": b"864000000000:1772445400000000",
    "looked": b"45",
    "partitions": b"48",
    "born": b"1772400000000000",
    "walk": b"8",
    "greeted": b"1772445300000000",
    "acted": b"1772445600000000",
    "told": b"1772445200000000",
    "told-in": b"9.4",
    "acted-in": b"42.2",
    "kafka": b"tPxGfBqBSy6zDFzLcKbFNA",
    "learnt": b"1.9.6.40",
}
"""Names and values as they lie in Redis. What they are called, and how they are written, never changes."""


class Kept(dict[str, bytes]):
    """Notes in memory."""

    def noted(self, name: str) -> bytes | None:
        """See `Noted`."""
        return self.get(name)

    def note(self, name: str, data: bytes) -> None:
        """See `Notes`."""
        self[name] = data


def test_what_was_noted_is_found_and_noted_again_as_it_was() -> None:
    """Each under its name: who looks for it under another one goes on as if there were nothing."""
    progress, again = Progress(Kept(STORED), 42, 48), Kept()
    assert progress.applied == (1, 9, 7, 42) and progress.learnt == (1, 9, 6, 40)
    assert (progress.answers, progress.looked, progress.walked) == (31, 45, 8)
    assert (progress.recorded, progress.closed) == (1772445600000000, 1772445500000000)
    assert progress.former == (Limit(864000000000, 1772445400000000),) and progress.born == 1772400000000000
    assert progress.came == {
        Log.POLICY: Came(BEFORE_EVERYTHING, None),
        Log.REGISTER: Came(1772445200000000, 4),
        Log.BETWEEN: Came(1772445300000000, None),
        Log.ACTIONS: Came(1772445600000000, 2),
    }
    progress.note(again, walking=True)
    assert again == STORED


def test_who_only_looks_finds_the_same() -> None:
    """As `doctor` and `rebuild` do."""
    assert place_of(Kept(STORED), 42) == Place(1, 9, 7, 42, 1)
