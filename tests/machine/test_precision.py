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


@pytest.mark.parametrize("feature", ["amx_bf16", "avx512_bf16", "bf16"])
@pytest.mark.parametrize(("fp32", "bf16", "expected"), [(2.0, 1.0, "bf16"), (1.0, 2.0, "fp32")])
def test_a_cpu_with_bf16_trains_in_the_format_that_it_convolves_faster_in(monkeypatch, feature, fp32, bf16, expected):
    monkeypatch.setattr(precision, "cpu_features", lambda: {"avx2", feature})
    monkeypatch.setattr(precision, "convolution_ms", lambda: (fp32, bf16))
    reason = f"a convolution takes {bf16:.2f} ms in bf16, {fp32:.2f} ms in fp32"
    assert best_precision(CPU) == (expected, reason)


def test_a_cpu_without_bf16_is_not_measured(monkeypatch):
    monkeypatch.setattr(precision, "cpu_features", lambda: {"avx512f"})
    monkeypatch.setattr(precision, "convolution_ms", lambda: pytest.fail("measured"))
    assert best_precision(CPU) == ("fp32", "")
    assert best_precision(GPU) == ("fp16", "")
    assert best_precision(torch.device("mps")) == ("fp32", "")


def test_measuring_takes_both_formats_and_draws_no_random_numbers():
    before = torch.get_rng_state()
    with torch.no_grad():
        assert all(ms > 0 for ms in precision.convolution_ms())
    assert torch.equal(torch.get_rng_state(), before)


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
    with pytest.raises(ConfigError, match="`precision` bf16 does not work on cpu here; use fp32 or fp16."):
        require_precision("bf16", CPU)
