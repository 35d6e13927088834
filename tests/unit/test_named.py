"""labctl.named.NamedTuple is what typing's is, in all that labctl and its users do with one."""

import copy
import pickle
import typing

import pytest

from labctl.named import NamedTuple


class Place(NamedTuple):
    """Where something stands."""

    line: int
    column: int = 1
    names: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.line}:{self.column}"

    @classmethod
    def at(cls, text: str) -> "Place":
        return cls(*map(int, text.split(":")))

    def below(self) -> "Place":
        return self._replace(line=self.line + 1)


class Same(typing.NamedTuple):
    """Where something stands."""

    line: int
    column: int = 1
    names: tuple[str, ...] = ()


def test_it_has_what_typings_has():
    for name in ("_fields", "_field_defaults", "__doc__", "__annotations__", "__match_args__", "__slots__"):
        assert getattr(Place, name) == getattr(Same, name), name
    assert typing.get_type_hints(Place) == typing.get_type_hints(Same)
    assert repr(Place(3)) == repr(Same(3)).replace("Same", "Place")
    assert (Place.__name__, Place.__qualname__, Place.__module__) == ("Place", "Place", __name__)


def test_it_is_a_tuple_with_names_values_and_methods():
    found = Place(3, names=("a",))
    assert found == (3, 1, ("a",))
    assert hash(found) == hash((3, 1, ("a",)))
    assert (found.shown, found.below(), Place.at("4:5")) == ("3:1", Place(4, 1, ("a",)), Place(4, 5))
    assert [copy.deepcopy(found), pickle.loads(pickle.dumps(found))] == [found, found]
    with pytest.raises(AttributeError):
        found.line = 4
    with pytest.raises(TypeError):
        Place()


def test_a_field_without_a_value_behind_one_with_a_value_is_refused():
    with pytest.raises(TypeError, match="Wrong has a field without a value behind one with a value"):

        class Wrong(NamedTuple):
            first: int = 0
            second: str
