"""`stylegan models`."""

import pytest
from run_cli import run_cli

import stylegan
from stylegan.models import bundled


def test_every_bundled_network_has_a_row():
    result = run_cli("models")
    assert (result.code, result.err) == (0, "")
    head, *rows = result.out.split("\n\n")[0].splitlines()
    assert head.split() == ["name", "images", "classes", "architecture", "size", "licence", "draws"]
    assert [row.split()[0] for row in rows] == list(bundled())
    for row in rows:
        G = stylegan.load(row.split()[0], device="cpu")
        assert f"  {G.img_resolution} px {'gray' if G.img_channels == 1 else 'color'}  " in row
        assert f"  {G.c_dim or '-'}  " in row
        assert " KB  Apache-2.0  " in row
    assert all(len(line) <= 120 for line in [head, *rows])


@pytest.mark.parametrize("name", bundled())
def test_origin_and_names_of_classes_are_listed(name):
    checkpoint = stylegan.load_checkpoint(name)
    out = run_cli("models").out
    assert f"\n{name}: {checkpoint.origin}.\n" in out
    if names := checkpoint.G_ema.class_names:
        assert f"  classes: {', '.join(names)}\n" in out
