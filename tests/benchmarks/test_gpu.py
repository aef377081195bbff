"""The benchmark of GPUs, run on the CPU in place of one: its rows, its comparison of images, and its refusal."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import gpu
import steps


class Stub(gpu.Gpu):
    """The CPU in place of a GPU, which has no CUDA graphs."""

    device = torch.device("cpu")

    def facts(self):
        return {"gpu": "stub"}

    def wait(self):
        pass

    def forget(self):
        pass

    def peak_gb(self):
        return 1.5

    def recorded(self, call):
        raise RuntimeError("no graphs | here\nand a long story")


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr(gpu, "CONFIGS", {"tiny16": (16, 2)})
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    return Stub()


def test_drawing_has_a_row_for_every_format_and_form_with_the_difference_from_the_cpu(stub):
    rows = list(gpu.draw_rows(stub, "tiny16", 1))
    assert [(row["format"], row["form"]) for row in rows[::2]] == [
        (name, form) for name in gpu.FORMATS for form in ("uncompiled", "compiled")
    ]
    by_format = {row["format"]: row for row in rows if row["form"] == "uncompiled"}
    assert by_format["fp32"]["step"] <= 1
    assert by_format["fp32"]["psnr"] > 80 > by_format["bf16"]["psnr"] > 25
    for row in rows:
        assert ("ms_per_image" in row) == ("CUDA graph" not in row["form"])
        assert row.get("note", "") == ("no graphs / here" if "CUDA graph" in row["form"] else "")


def test_training_has_a_row_for_every_format_and_form(stub, monkeypatch):
    monkeypatch.setattr(steps, "STEPS", 1)
    rows = list(gpu.train_rows(stub, "tiny16", 1))
    assert [(row["format"], row["form"]) for row in rows] == [
        (name, form) for name in gpu.FORMATS for form in ("uncompiled", "compiled")
    ]
    assert all(row["s_per_kimg"] > 0 and row["peak_gb"] == 1.5 for row in rows if "note" not in row)
    assert {row["format"] for row in rows if "note" in row} <= {"fp16"}  # which a CPU may lack


def test_rows_fill_the_columns_of_their_table(stub, capsys):
    result = gpu.measure(stub, ["tiny16"], ["draw"], 1)
    head, line, *rows, _ = capsys.readouterr().out.split("\n")[:-1]
    assert len(rows) == len(result["draw"]) == 16
    assert {text.count("|") for text in (head, line, *rows)} == {9}
    assert gpu.table_row({"preset": "a", "format": "b", "form": "c", "s_per_kimg": 1.234, "peak_gb": 2}, "train") == (
        "| a | b | c | 1.23 | 2.00 |  |"
    )


def test_equal_images_have_no_difference_and_others_the_largest_step_and_the_error_of_the_definition():
    images = torch.zeros(1, 3, 4, 4)
    assert gpu.parity(images, images) == (0, math.inf)
    other = images.clone()
    other[0, 0, 0, 0] = 0.5
    step, psnr = gpu.parity(other, images)
    assert step == 63  # 0 is 128 of 255, and 0.5 is 191
    assert psnr == pytest.approx(10 * math.log10(4 / (0.25 / 48)))


def test_products_in_tf32_are_allowed_only_within_their_block():
    def allowed():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = allowed()
    with gpu.tf32(True):
        assert allowed() == (True, True)
        with gpu.tf32(False):
            assert allowed() == (False, False)
    assert allowed() == before


def test_without_a_gpu_it_says_so_in_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(gpu.main)
    assert result.exit_code == 1
    assert result.output == "Error: this benchmark needs a CUDA GPU and a PyTorch built for it, but finds none.\n"


def test_the_report_names_the_gpu(stub, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "Gpu", lambda: stub)
    monkeypatch.setattr(gpu, "draw_rows", lambda *_: [{"network": "a", "format": "b", "form": "c", "note": "d"}])
    command = gpu.main.callback
    command(configs=["tiny16"], tasks=["draw"], rounds=1, path=tmp_path / "gpu.json")
    result = json.loads((tmp_path / "gpu.json").read_text())
    assert result["environment"]["gpu"] == "stub"
    assert result["draw"] == [{"network": "a", "format": "b", "form": "c", "note": "d"}]
