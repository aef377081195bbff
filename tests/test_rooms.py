"""Order of the folders of the library: each imports only from those before it."""

import ast
from graphlib import TopologicalSorter
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
    "models",
    "checkpoints",
    "sampling",
    "inversion",
    "editing",
    "metrics",
    "runs",
    "training",
    "studio",
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


def imported_files(file: Path) -> set[Path]:
    """Every file of the library that a file imports from when it runs: imports for type checkers do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stylegan":
            folder = LIBRARY.joinpath(*node.module.split(".")[1:])
            for alias in node.names:
                names = (folder / f"{alias.name}.py", folder.with_suffix(".py"), folder / "__init__.py")
                found.add(next(path for path in names if path.exists()))
    return found


def test_no_file_imports_itself_through_others():
    files = {file: imported_files(file) for file in LIBRARY.rglob("*.py")}
    files[LIBRARY / "networks" / "generator.py"].discard(LIBRARY / "inference" / "generator.py")  # as in UPWARD
    TopologicalSorter(files).prepare()  # raises CycleError with the files of a circle
