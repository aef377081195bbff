"""Nothing in the package runs what it reads: no pickle, eval or shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stylegan

LIBRARY = Path(stylegan.__file__).parent
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"os.system", "os.popen", "runpy.run_path", "runpy.run_module", "torch.jit.load", "torch.hub.load"}
ALLOWED = {("metrics/torchscript.py", "torch.jit.load")}  # files of feature networks that the user names; see there
SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}


def full_name(node: ast.expr, aliases: dict[str, str]) -> str:
    """Return a dotted name with its import resolved: `np.load` is "numpy.load"."""
    if isinstance(node, ast.Attribute):
        return f"{full_name(node.value, aliases)}.{node.attr}"
    return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def unsafe(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each import or call that runs what it is given."""
    tree = ast.parse(source)
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {
                a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                for a in node.names
            }
            imported = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            aliases |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
            imported = [node.module or ""]
        else:
            continue
        yield from ((node.lineno, name) for name in imported if name.partition(".")[0] in MODULES)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = full_name(node.func, aliases)
        options = {k.arg: k.value for k in node.keywords}
        constants = {key: value.value for key, value in options.items() if isinstance(value, ast.Constant)}
        loader = options.get("Loader", node.args[1] if len(node.args) > 1 else None)
        found = (
            (isinstance(node.func, ast.Name) and name in BUILTINS)
            or name in CALLS
            or (
                name == "numpy.load"
                and constants.get("allow_pickle", False if "allow_pickle" not in options else None) is not False
            )
            or (name == "torch.load" and constants.get("weights_only") is not True)
            or ("shell" in options and constants.get("shell") is not False)
            or (name.startswith("yaml.") and name.endswith(("unsafe_load", "full_load")))
            or (
                name in ("yaml.load", "yaml.load_all")
                and (loader is None or full_name(loader, aliases).rpartition(".")[2] not in SAFE_LOADERS)
            )
        )
        if found:
            yield node.lineno, name


def test_the_package_runs_nothing_that_it_reads():
    files = sorted(LIBRARY.rglob("*.py"))
    assert len(files) > 100
    found = [(f.relative_to(LIBRARY).as_posix(), *where) for f in files for where in unsafe(f.read_text("utf-8"))]
    assert [(file, line, name) for file, line, name in found if (file, name) not in ALLOWED] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads as f",
        "import marshal as m",
        "from joblib import load",
        "import shelve",
        "eval('1')",
        "exec(text)",
        "compile(text, 'x', 'exec')",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "from numpy import load\nload(f, allow_pickle=flag)",
        "import torch\ntorch.load(f)",
        "import torch as t\nt.load(f, weights_only=False)",
        "from torch import load\nload(f, map_location='cpu')",
        "import torch\ntorch.jit.load(f)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "import subprocess\nsubprocess.run(text, shell=flag)",
        "import os\nos.system(text)",
        "import yaml\nyaml.load(f)",
        "import yaml\nyaml.load(f, Loader=yaml.Loader)",
        "import yaml\nyaml.unsafe_load(f)",
    ],
)
def test_an_unsafe_call_is_found(source):
    assert list(unsafe(source))


@pytest.mark.parametrize(
    "source",
    [
        "G.eval()",
        "import re\nre.compile('x')",
        "import torch\ntorch.compile(G)",
        "import torch\ntorch.load(f, weights_only=True)",
        "import numpy as np\nnp.load(f, allow_pickle=False)",
        "import numpy as np\nnp.load(f)",
        "import subprocess\nsubprocess.run([], shell=False)",
        "import yaml\nyaml.safe_load(f)",
        "import yaml\nyaml.load(f, Loader=yaml.SafeLoader)",
    ],
)
def test_a_safe_call_is_not_found(source):
    assert list(unsafe(source)) == []
