"""`stylegan info`."""

from run_cli import run_cli


def test_every_network_of_the_checkpoint_has_its_table(network):
    result = run_cli("info", network)
    assert result.code == 0
    assert "G_ema, the averaged generator" in result.out
    assert "synthesis.b16.conv1" in result.out
    assert "D, the discriminator" not in result.out


def test_names_of_classes_are_printed(pets):
    assert "\nclasses: 0 cat, 1 dog, 2 fish\n" in run_cli("info", pets).out


def test_what_is_no_checkpoint_gets_one_sentence(tmp_path):
    result = run_cli("info", tmp_path)
    assert result.code == 1
    assert "is not a checkpoint; expected a folder with config.json" in result.err
    assert run_cli("info", tmp_path / "nowhere").code == 2
