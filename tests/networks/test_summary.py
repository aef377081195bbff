"""The layer table is the official one, to the letter."""

from pathlib import Path

import pytest
import torch

from stylegan.networks.stylegan2 import Discriminator, Generator
from stylegan.networks.summary import discriminator_table, generator_table

SIZE = {"img_resolution": 32, "num_fp16_res": 4, "conv_clamp": 256}
TABLES = Path(__file__).parent / "layer_tables_32.txt"


@pytest.mark.parametrize(
    ("network", "table"), [(Generator, generator_table), (Discriminator, discriminator_table)], ids=["G", "D"]
)
def test_layer_table_at_32_px_is_the_published_one(network, table):
    with torch.device("meta"):
        text = table(network(**SIZE))
    published = TABLES.read_text().split("\n\n")[network is Generator]
    assert [line.rstrip() for line in text.splitlines()] == published.splitlines()


def test_tables_of_1024_px_networks_cost_nothing():
    with torch.device("meta"):
        text = generator_table(Generator(img_resolution=1024))
    assert text.splitlines()[-1].split() == ["Total", "30370060", "2797104", "-", "-"]


def test_table_leaves_the_network_as_it_was():
    G = Generator(16, 0, 16, 16, 1, mapping_layers=2, channel_base=128, channel_max=16)
    generator_table(G)
    assert G.precision == "auto"
    assert next(G.parameters()).device.type == "cpu"
    assert not any(module._forward_hooks for module in G.modules())
