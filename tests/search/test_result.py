"""The front of a search's points."""

from hypothesis import given
from hypothesis import strategies as st

from siffra.search.result import front


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_else_beats(places):
    expected = {
        place
        for place in places
        if not any(
            other != place and other[0] <= place[0] and other[1] >= place[1] for other in places
        )
    }

    found = front(places)

    assert {places[i] for i in found} == expected
    assert len(found) == len(expected)
