"""A run can be read by the command line, a studio or a page without training code."""

import json
import subprocess
import sys
from pathlib import Path

import stylegan.runs


def test_no_module_of_runs_loads_training_code():
    modules = [
        f"stylegan.runs.{path.stem}".removesuffix(".__init__")
        for path in Path(stylegan.runs.__file__).parent.glob("*.py")
    ]
    code = f"import sys, json, {', '.join(modules)}; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not [name for name in loaded if name.startswith(("stylegan.training", "stylegan.cli", "matplotlib"))]


def test_public_names_exist():
    assert all(getattr(stylegan.runs, name) is not None for name in stylegan.runs.__all__)
    assert stylegan.runs.__all__ == sorted(stylegan.runs.__all__)
