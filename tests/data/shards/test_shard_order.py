from __future__ import annotations

import numpy as np
import pytest

from stylegan.data.shards.order import ShardOrder
from stylegan.errors import ConfigError

SIZES = (5, 5, 5, 5, 5, 5, 2)


@pytest.mark.parametrize("copies", [1, 2])
def test_every_epoch_shows_every_image_once_in_another_order(copies):
    order = ShardOrder(SIZES, seed=3, copies=copies, window=3)
    n = 32 * copies
    epochs = [order.indices(epoch * n, n) for epoch in range(3)]
    assert all((np.sort(epoch) == np.arange(n)).all() for epoch in epochs)
    assert not (epochs[0] == epochs[1]).all()
    assert not (epochs[0] == ShardOrder(SIZES, seed=4, copies=copies, window=3).indices(0, n)).all()


def test_any_cut_of_the_stream_gives_the_same_stream():
    order = ShardOrder(SIZES, seed=0, window=2)
    whole = order.indices(0, 200)
    for step in (1, 7, 33):
        pieces = [ShardOrder(SIZES, seed=0, window=2).indices(at, step) for at in range(0, 200, step)]
        assert (np.concatenate(pieces)[:200] == whole).all()


def test_images_come_from_the_shards_that_were_announced():
    order = ShardOrder(SIZES, seed=1, window=2)
    shard_of = np.repeat(np.arange(len(SIZES)), SIZES)
    for position in range(200):
        announced = order.shards(position)
        assert len(announced) <= 4
        assert shard_of[order.indices(position, 1)[0]] in announced[:2]
        ahead = order.indices(position, order.left_in_window(position) + 1)
        assert set(shard_of[ahead]) <= set(announced)


def test_a_window_mixes_its_shards():
    order = ShardOrder((50,) * 8, seed=0, window=4)
    assert len(np.unique(order.indices(0, 32) // 50)) == 4


def test_ranks_share_the_shards_of_an_epoch_and_keep_in_step():
    sizes = (5,) * 7
    shard_of = np.repeat(np.arange(7), sizes)
    orders = [ShardOrder(sizes, seed=2, window=2, rank=rank, ranks=3) for rank in range(3)]
    assert {order.epoch_length for order in orders} == {11}
    for epoch in range(4):
        used = [set(shard_of[order.indices(epoch * 11, 11)]) for order in orders]
        assert all(not used[a] & used[b] for a, b in ((0, 1), (0, 2), (1, 2)))


def test_fewer_shards_than_ranks_get_a_sentence():
    with pytest.raises(ConfigError, match="4 processes need as many shards, got 3; write smaller ones"):
        ShardOrder((5, 5, 5), seed=0, ranks=4)
