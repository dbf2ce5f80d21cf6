"""How work is divided into shards."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench.errors import AcbenchError
from acbench.storage.shard import Shard


class TestShard:
    @pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "-1/3", "1/0", "1/2/3", "a/b", "1.5/3", "1/100001"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(AcbenchError, match="no shard"):
            Shard.parse(text)

    @given(st.text(), st.integers(1, 50))
    def test_everything_is_taken_by_exactly_one(self, key: str, of: int) -> None:
        assert [Shard(number, of).takes(key) for number in range(1, of + 1)].count(True) == 1

    def test_parts_are_even(self) -> None:
        counts = Counter(number for key in range(8_000) for number in range(1, 9) if Shard(number, 8).takes(str(key)))
        assert min(counts.values()) > 900

    def test_reads_as_it_is_written(self) -> None:
        assert str(Shard.parse(" 3/8 ")) == "3/8" and Shard.parse("3/8").folder == "3-of-8"
