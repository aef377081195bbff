from __future__ import annotations

import threading
import time

import pytest

from stylegan.data.ordered_map import ordered_map


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_results_come_in_the_order_of_the_items(workers):
    def late_first(i: int) -> int:
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    assert list(ordered_map(late_first, iter(range(20)), workers)) == [i * i for i in range(20)]
    assert list(ordered_map(late_first, [], workers)) == []


def test_several_items_are_worked_on_at_the_same_time():
    together = threading.Barrier(3, timeout=10)
    assert len(list(ordered_map(lambda _: together.wait(), range(6), workers=3))) == 6


def test_an_error_comes_when_it_is_the_turn_of_its_item():
    results = ordered_map(lambda i: 6 // (3 - i), range(9), workers=4)
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_no_more_is_begun_than_one_item_a_worker_ahead_and_nothing_continues_after_the_end():
    begun = []
    results = ordered_map(begun.append, range(100), workers=2)
    next(results)
    time.sleep(0.05)
    assert begun == [0, 1, 2]
    results.close()
    assert threading.active_count() == len([t for t in threading.enumerate() if not t.name.startswith("images")])
