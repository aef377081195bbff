"""Messages of the library name settings; the command line prints the flags that set them."""

import warnings

import click
import pytest
from run_cli import run_cli

from stylegan.cli.messages import flags, with_flags
from stylegan.cli.options import wrong_usage
from stylegan.cli.train_config import SETTINGS
from stylegan.cli.verbs import VERBS
from stylegan.errors import ConfigError, StyleGANError


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        ("use a smaller `micro_batch` or network", "use a smaller --batch-gpu or network"),
        ("raise `r1_gamma`, or lower `g_lr` and `d_lr`", "raise --gamma, or lower --glr and --dlr"),
        ("`data.balanced` needs labels; set `data.labels` too", "--balanced needs labels; set --cond too"),
        ("set `augment.mode` to ada", "set --aug to ada"),
        ("choose one with `label`, 0..2", "choose one with --class, 0..2"),
        ("a larger `snap_ticks` or a smaller `keep_snapshots`", "a larger --snap or a smaller --keep"),
        ("make one with `prepare`", "make one with `stylegan dataset`"),
        ("download it with `convert`", "download it with `stylegan convert`"),
        ("`pl_weight` has no flag, and `w[:, None]` is no setting", None),
        ("batch, label and micro_batch without backticks are words", None),
    ],
)
def test_a_setting_becomes_its_flag_and_nothing_else_changes(message, printed):
    assert with_flags(message) == (printed or message)


def test_every_setting_of_train_and_every_option_has_a_flag_that_exists():
    help_texts = "".join(run_cli(verb, "--help").out for verb in VERBS)
    settings = {name for names in SETTINGS.values() for name in names} - {"growing"}  # which --no-growing takes away
    assert settings <= set(flags())
    for flag in set(flags().values()) - {"`stylegan dataset`", "`stylegan convert`"}:
        assert f"{flag} " in help_texts or f"{flag}\n" in help_texts, flag


def test_errors_usage_and_warnings_are_printed_with_flags(network, monkeypatch, tmp_path):
    from stylegan.images import png

    def printed(act):
        monkeypatch.setattr(png, "make_folder", act)
        return run_cli("generate", "--network", network, "--device", "cpu", "--outdir", tmp_path)

    def fail(folder):
        raise StyleGANError("cannot write; choose another `outdir`.")

    def warn(folder):
        warnings.warn("`noise_mode` changes nothing.", RuntimeWarning, stacklevel=1)

    def fill(folder):
        raise MemoryError

    assert printed(fail).err == "Error: cannot write; choose another --outdir.\n"
    assert printed(warn).err == "Warning: --noise-mode changes nothing.\n"
    full = printed(fill)
    assert (full.code, full.err.count("\n")) == (1, 1)
    assert full.err.startswith("Error: the command ran out of memory; close other programs, or use a smaller --batch")


@pytest.mark.parametrize("option", [None, "--styles"])
def test_a_config_error_of_the_library_becomes_wrong_usage_with_flags(option):
    with pytest.raises(click.UsageError, match="^set --cond.$"), wrong_usage(option):
        raise ConfigError("set `data.labels`.")


def test_a_library_message_in_python_keeps_the_setting(network):
    import stylegan

    G = stylegan.load(network, device="cpu")
    with pytest.raises(ConfigError, match="leave out `label`"):
        stylegan.generate(G, [0], label=1)
