"""`stylegan mix`"""

import numpy as np
import pytest
from PIL import Image
from run_cli import run_cli


def cells(path, rows, columns):
    with Image.open(path) as image:
        pixels = np.array(image).astype(int)
    return pixels.reshape(rows, 16, columns, 16, 3).swapaxes(1, 2)


def test_the_matrix_shows_the_sources_and_every_pair(network, tmp_path):
    result = run_cli("mix", "--network", network, "--rows", "0-1", "--cols", "4-6", "--outdir", tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Wrote {tmp_path / 'mix.png'} (layers 0, 1 from the columns) in ")
    matrix = cells(tmp_path / "mix.png", 3, 4)
    assert not matrix[0, 0].any()
    run_cli("generate", "--network", network, "--seeds", "0-1,4-6", "--outdir", tmp_path)
    for place, seed in {(1, 0): 0, (2, 0): 1, (0, 1): 4, (0, 2): 5, (0, 3): 6}.items():
        with Image.open(tmp_path / f"seed{seed:04d}.png") as image:
            assert abs(matrix[place] - np.array(image)).max() <= 1


def test_all_layers_repeat_the_column_images(network, tmp_path):
    run_cli("mix", "--network", network, "--rows", "0-1", "--cols", "4-6", "--styles", "0-5", "--outdir", tmp_path)
    matrix = cells(tmp_path / "mix.png", 3, 4)
    assert abs(matrix[1:, 1:] - matrix[:1, 1:]).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--styles", "bold"], "Invalid value for '--styles': styles are layers such as 0-6,9 or the names coarse"),
        (["--styles", "0-9"], "Invalid value for '--styles': this network has the layers 0-5, got '0-9'."),
        (["--trunc", "0,1"], "this verb takes one psi, got '0,1'; `stylegan generate` draws several."),
        (["--rows", "3-"], "Invalid value for '--rows'"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(network, tmp_path, arguments, message):
    result = run_cli("mix", "--network", network, "--rows", "0", "--cols", "1", "--outdir", tmp_path, *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_the_main_process_of_a_launcher_draws_alone(network, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in (1, 0):
        monkeypatch.setenv("RANK", str(rank))
        result = run_cli("mix", "--network", network, "--rows", "0", "--cols", "1", "--outdir", tmp_path)
        assert (result.code, bool(result.out), (tmp_path / "mix.png").exists()) == (0, rank == 0, rank == 0)
