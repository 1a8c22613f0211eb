"""What is of the type of something that was asked for, as far as the register tells: other assets, and other products.

Assets of which the same is stated are compared together, each with what was asked for once, and so many in one question.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Final

from gate.facts import AssetClassified, Instant, Thing
from gate.register import Register, attributes
from gate.same_type import Pair, between

SIBLINGS: Final = 100
"""Assets, and products, of the type that was asked for: how many are listed for one request at most."""
ASSETS: Final = 50_000
"""Assets of the register that are looked at, the first by name: a question has the thread that all share."""
COMPARED: Final = 50_000
"""Classifications and products that are compared in one question: some tenth of a second."""
_Kind = tuple[AssetClassified, list[str]]
"""A classification, and all assets that are classified so, in order."""


class Alike:
    """The register, asked for one question at one time."""

    def __init__(self, register: Register, at: Instant) -> None:
        self._register, self._at = register, at
        self._left = COMPARED
        self._kinds: list[_Kind] | None = None
        self._products: list[str] | None = None
        self._found: dict[Thing, Sequence[Thing]] = {}
        self.more = False
        """Whether something may be alike that was not told."""

    def to(self, asked: Thing) -> Sequence[Thing]:
        """Things of the type of this one: those with another asset, then those with another product."""
        found = self._found.get(asked)
        if found is None:
            alike = list(islice(self._alike(asked), SIBLINGS + 1))
            self.more = self.more or len(alike) > SIBLINGS
            found = self._found[asked] = alike[:SIBLINGS]
        return found

    def _alike(self, asked: Thing) -> Iterator[Thing]:
        if asked.asset:
            for asset in self._assets(asked.asset):
                yield Thing(asked.service, asset, asked.product)
        if asked.product and asked.service:
            for product in self._mapped(asked.product, asked.service):
                yield Thing(asked.service, asked.asset, product)

    def _assets(self, asked: str) -> Iterator[str]:
        classified = self._register.asset(asked, self._at)
        if self._kinds is None:
            self._kinds = self._classified()
        same = [
            assets
            for kind, assets in islice(self._kinds, self._take(len(self._kinds)))
            if between(kind, classified)[0] is Pair.SAME
        ]
        return (asset for asset in merge(*same) if asset != asked)

    def _classified(self) -> list[_Kind]:
        kinds: dict[tuple[object, ...], _Kind] = {}
        assets = self._register.assets()
        self.more = self.more or len(assets) > ASSETS
        for asset in assets[:ASSETS]:
            said = self._register.asset(asset, self._at)
            if said is not None:
                kinds.setdefault((*attributes(said), bool(said.approved_by)), (said, []))[1].append(asset)
        return list(kinds.values())

    def _mapped(self, asked: str, service: str) -> Iterator[str]:
        register, at = self._register, self._at
        if self._products is None:
            self._products = register.products()
        for product in islice(self._products, self._take(len(self._products))):
            one = register.maps(product, asked, service, at)
            if product != asked and (one or register.maps(asked, product, service, at)):
                yield product

    def _take(self, wanted: int) -> int:
        """How many of so many may still be compared."""
        taken = min(wanted, self._left)
        self._left -= taken
        self.more = self.more or taken < wanted
        return taken
