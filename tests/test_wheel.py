"""The wheel, installed away from the checkout, draws, and says on a package index what it is."""

import email
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    build = pytest.importorskip("hatchling.build", reason="pip install 'stylegan[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build.build_wheel(str(folder))


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_without_a_flag_the_installed_command_draws_from_the_bundled_network(wheel, tmp_path):
    pytest.importorskip("pip")
    venv.create(tmp_path / "env", with_pip=False)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    away = {"cwd": tmp_path, "env": {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, "check": True}
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, **away)
    package = _output([python, "-c", "import stylegan; print(stylegan.__file__)"], away).strip()
    assert Path(package).is_relative_to(tmp_path)
    # The dependencies, PyTorch first of all, come from the outer environment.
    (Path(package).parents[1] / "outer.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    said = _output([scripts / "stylegan", "generate"], away)
    assert said.startswith("Drawing with avatars64, which ships with the library; ")
    with Image.open(tmp_path / "out" / "seed0000.png") as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")
        assert len(image.getcolors(64 * 64)) > 100


def _output(command: list, away: dict) -> str:
    return subprocess.run(command, capture_output=True, text=True, **away).stdout


def test_the_index_gets_the_licences_the_systems_and_that_it_is_typed(metadata):
    assert metadata["License-Expression"] == "Apache-2.0 AND CC0-1.0"  # CC0 for the faces in the package
    assert metadata.get_all("License-File") == ["LICENSE", "stylegan/data/samples/LICENCE.md"]
    systems = {line.split(" :: ", 1)[1] for line in metadata.get_all("Classifier") if line.startswith("Operating")}
    assert systems == {"POSIX :: Linux", "MacOS", "Microsoft :: Windows"}
    assert "Typing :: Typed" in metadata.get_all("Classifier")


def test_the_wheel_has_the_marker_for_type_checkers_and_only_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "stylegan/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"stylegan"}


def targets(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]*)\)", text)


def test_every_link_of_the_readme_works_on_an_index(metadata):
    shown = metadata.get_payload()
    assert "# stylegan\n" in shown
    assert "measurements" in shown  # the text of a link
    assert [target for target in targets(shown) if not target.startswith("https://")] == []


def test_links_become_those_of_the_source_once_it_has_an_address(monkeypatch):
    pytest.importorskip("hatchling", reason="pip install 'stylegan[test]'")
    monkeypatch.syspath_prepend(str(ROOT))
    from hatch_build import for_index

    text = "![An image](docs/a.png)\n\n[one](docs/b.md), [`two`](c.py#d) and [paper](https://arxiv.org/abs/1)."
    assert for_index(text, "https://host/us") == (
        "![An image](https://host/us/raw/HEAD/docs/a.png)\n\n[one](https://host/us/blob/HEAD/docs/b.md), "
        "[`two`](https://host/us/blob/HEAD/c.py#d) and [paper](https://arxiv.org/abs/1)."
    )
    assert for_index(text, None) == "one, `two` and [paper](https://arxiv.org/abs/1)."
