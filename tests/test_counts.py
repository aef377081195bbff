"""Numbers with their nouns in what is printed: "1 image", never "1 images"."""

import ast
import re
from pathlib import Path

import stylegan
from stylegan.files.counted import counted

LIBRARY = Path(stylegan.__file__).parent
NOUNS = "images|latents|files|directions|snapshots|networks|shards|steps|classes|values|others"
PLURAL = re.compile(rf" (?:[a-z]+ )?(?:{NOUNS})\b")
NEVER_ONE = {"COMPARED", "1000 / tick.sec_per_kimg"}  # a constant, and a speed


def prints(file: Path) -> bool:
    return bool(re.search(r"\b(echo|print|say_wrote)\(", file.read_text(encoding="utf-8")))


def always_plural(file: Path) -> list[str]:
    """Return the numbers of a file that are followed by a plural whatever they are."""
    found = []
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    for text in (node for node in nodes if isinstance(node, ast.JoinedStr)):
        for value, after in zip(text.values, text.values[1:], strict=False):
            number = ast.unparse(value.value) if isinstance(value, ast.FormattedValue) else ""
            if number and isinstance(after, ast.Constant) and PLURAL.match(str(after.value)):
                found.append(f"{file.name}: {number}")
    return found


def test_a_number_agrees_with_its_noun():
    assert [counted(1, "image"), counted(0, "image"), counted(2000, "image")] == ["1 image", "0 images", "2,000 images"]
    assert [counted(1, "class", "classes"), counted(3, "class", "classes")] == ["1 class", "3 classes"]


def test_whatever_prints_a_count_prints_one_image_and_not_one_images():
    found = [place for file in sorted(LIBRARY.rglob("*.py")) if prints(file) for place in always_plural(file)]
    assert [place for place in found if place.partition(": ")[2] not in NEVER_ONE] == []
