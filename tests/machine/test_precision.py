"""Number formats: what exists, and what works and is fast on a device."""

import pytest
import torch
import torch.nn.functional as F

from stylegan.errors import ConfigError
from stylegan.machine import precision
from stylegan.machine.precision import best_precision, check_precision, cpu_features, require_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_an_unknown_precision_is_named():
    assert [check_precision(p) for p in precision.PRECISIONS] == ["auto", "fp32", "bf16", "fp16"]
    with pytest.raises(ConfigError, match=r"precision must be one of auto, fp32, bf16, fp16, got 'fp8'\."):
        check_precision("fp8")


@pytest.mark.parametrize(
    ("features", "expected"), [({"avx2", "amx_bf16"}, "bf16"), ({"avx512f"}, "fp32"), (set(), "fp32")]
)
def test_only_a_cpu_that_multiplies_bf16_matrices_trains_in_bf16(monkeypatch, features, expected):
    monkeypatch.setattr(precision, "cpu_features", lambda: features)
    assert best_precision(CPU) == expected
    assert best_precision(GPU) == "fp16"
    assert best_precision(torch.device("mps")) == "fp32"


def test_a_machine_without_cpuinfo_has_no_features(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "missing")
    assert cpu_features() == set()


def test_only_the_extensions_that_matter_are_listed(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2 amx_bf16 avx512f_x\n")
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "cpuinfo")
    assert cpu_features() == {"avx2", "amx_bf16"}


def test_a_precision_that_a_device_lacks_is_refused_and_others_are_named(monkeypatch):
    convolve = F.conv2d

    def without_bf16(x, *args, **options):
        if x.dtype == torch.bfloat16:
            raise RuntimeError("not implemented for BFloat16")
        return convolve(x, *args, **options)

    monkeypatch.setattr(precision.F, "conv2d", without_bf16)
    require_precision("fp32", CPU)
    require_precision("auto", CPU)
    with pytest.raises(ConfigError, match="precision bf16 does not work on cpu here; use fp32 or fp16."):
        require_precision("bf16", CPU)
