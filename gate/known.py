"""Everything we knew when asked: the client's dossier and the shared register."""

from typing import NamedTuple

from gate.dossier import Dossier
from gate.register import Register


class Known(NamedTuple):
    """What `decide` leans on; it changes neither."""

    dossier: Dossier
    register: Register
