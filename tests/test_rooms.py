"""Order of the folders of the library: each imports only from those before it."""

import ast
from pathlib import Path

import stylegan

LIBRARY = Path(stylegan.__file__).parent
ROOMS = [
    "errors",
    "files",
    "machine",
    "ops",
    "losses",
    "images",
    "networks",
    "augment",
    "inference",
    "data",
    "checkpoints",
    "sampling",
    "metrics",
    "runs",
    "training",
    "cli",
]
OUTSIDE = {"__init__", "__main__", "minimal"}  # the doors of the package, which lead to any room
UPWARD = {("networks/generator.py", "inference")}  # `G.for_inference()` is a shortcut


def imported_rooms(file: Path) -> set[str]:
    """Return the folders of the library from which a file imports, including imports in functions and for types."""
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "stylegan":
            names += [f"stylegan.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("stylegan.")}
    return rooms - {"__version__"}


def files_of(room: str) -> list[Path]:
    return [LIBRARY / f"{room}.py"] if room == "errors" else sorted((LIBRARY / room).rglob("*.py"))


def test_every_folder_is_a_room_or_a_door():
    names = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names == set(ROOMS) | OUTSIDE


def test_imports_run_one_way():
    wrong = {
        (file.relative_to(LIBRARY).as_posix(), room)
        for position, own in enumerate(ROOMS)
        for file in files_of(own)
        for room in imported_rooms(file) - set(ROOMS[: position + 1])
    }
    assert wrong == UPWARD
