"""What is of the type of something: told as by comparing everything with everything, and at a bounded cost."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate import same_type
from gate.facts import AssetClassified, Fact, Instant, ProductClassified, RegisterSaid, Thing
from gate.register import Register
from gate.same_type import Pair, compare
from streams.ask import alike as module
from streams.ask.alike import Alike
from tests.player import POLICY

NOW: Instant = 10
ASSETS = [f"a{n}" for n in range(9)]
few = st.sampled_from([None, "x", "y", " "])


def classified(asset: str, **more: object) -> AssetClassified:
    """As the firm classified it."""
    stated = {"technology": "chain", "liquid": True, "type_group": "large", "approved_by": "st-1", **more}
    return AssetClassified(asset, "other", **stated)  # type: ignore[arg-type]


def register(*said: RegisterSaid) -> Register:
    """One that was told all this before."""
    made = Register(POLICY)
    for n, each in enumerate(said):
        made.learn(Fact("//x", str(n), "", 1, 1, each))
    return made


@given(
    st.lists(
        st.builds(
            AssetClassified,
            st.sampled_from(ASSETS),
            st.sampled_from(["emt", "art", "other"]),
            technology=few,
            reference_currency=few,
            basket=st.sampled_from([None, "fiat"]),
            liquid=st.sampled_from([None, True, False]),
            identifiable_issuer=st.sampled_from([None, True]),
            type_group=few,
            approved_by=st.sampled_from([None, "st-1", "st-2"]),
        ),
        max_size=20,
    )
)
def test_what_is_alike_is_what_each_comparison_says(said: list[AssetClassified]) -> None:
    """Assets are compared by what is stated of them, so those of which the same is stated need one comparison."""
    known = register(*said)
    alike = Alike(known, NOW)
    for asked in ASSETS:
        each = [a for a in known.assets() if a != asked and compare(known, a, asked, NOW)[0] is Pair.SAME]
        assert [thing.asset for thing in alike.to(Thing("custody", asked))] == each
    assert not alike.more


def test_many_assets_of_few_kinds_are_compared_once_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often something is asked for, and however many assets there are."""
    known = register(*(classified(f"a{n:04}", technology=f"t{n % 5}") for n in range(1_000)))
    counted = counting(monkeypatch)
    alike = Alike(known, NOW)
    for _ in range(20):
        assert [t.asset for t in alike.to(Thing("custody", "a0007"))][:2] == ["a0002", "a0012"]
    assert counted == [5] and alike.more


@pytest.mark.parametrize("bound", ["COMPARED", "ASSETS"])
def test_what_would_take_too_long_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """What is told is alike all the same."""
    known = register(*(classified(f"a{n:02}", liquid=None if n % 2 else True, technology=str(n)) for n in range(20)))
    counted = counting(monkeypatch)
    monkeypatch.setattr(f"streams.ask.alike.{bound}", 10)
    alike = Alike(known, NOW)
    for asked in ASSETS:
        alike.to(Thing("custody", f"a0{asked[1:]}"))
    assert alike.more and counted[0] <= {"COMPARED": 10, "ASSETS": 90}[bound]


def test_products_are_mapped_either_way() -> None:
    """One that is mapped to what was asked for, and one that it is mapped to."""
    said = [ProductClassified("p", "custody", "q", "st-1"), ProductClassified("q", "custody", "r", "st-1")]
    alike = Alike(register(*said, ProductClassified("r", "custody")), NOW)
    assert alike.to(Thing("custody", None, "q")) == [Thing("custody", None, "p"), Thing("custody", None, "r")]
    assert not alike.more


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many comparisons were made."""
    made = [0]
    between: Callable[..., object] = same_type.between

    def counted(*given: object) -> object:
        made[0] += 1
        return between(*given)

    monkeypatch.setattr(module, "between", counted)
    return made
