"""The commands and the Python code of the README run, at a smaller size."""

import os
import re
import shlex
from pathlib import Path
from string import Template

import pytest
from PIL import Image
from run_cli import run_cli
from tiny_run import tiny_images

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALLER = {
    "64x64": "16x16",
    "--kimg 200": "--kimg 0.016 --cfg tiny16 --batch 8 --gamma 2",
    "stylegan1-cpu64": "stylegan1-tiny16",
    "--kimg 300": "--kimg 0.016",
    "--kimg 400": "--kimg 0.024",
    "batch16": "batch8",
    "fid10k": "fid8",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def smaller(text: str) -> str:
    for old, new in SMALLER.items():
        text = text.replace(old, new)
    return text


@pytest.mark.skipif(os.name == "nt", reason="the README is written for a POSIX shell")
def test_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_images(tmp_path / "images", size=20, count=12)
    for name in ("cat", "dog"):
        tiny_images(tmp_path / "pets" / name, size=20, count=4)
    commands = [line for block in blocks("bash") for line in smaller(block).splitlines()]
    assert len(commands) >= 9
    variables: dict = {}
    for command in commands:
        program, *arguments = shlex.split(Template(command).substitute(variables), comments=True)
        if "=" in program:
            variables.update([program.split("=")])
            continue
        assert program == "stylegan"
        result = run_cli(*arguments)
        assert result.code == 0, f"{command}\n{result.err}"
    names: dict = {}
    for block in blocks("python"):
        exec(block, names)
    assert names["images"].shape == (8, 3, 64, 64)
    with Image.open("out/eight.png") as image:
        assert image.size == (4 * 64, 2 * 64)


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    missing = [link for link in links if "//" not in link and not (ROOT / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")))
def test_links_and_files_named_in_the_docs_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [(ROOT / page).parent / link for link in re.findall(r"\]\(([^)#]+)\)", text) if "//" not in link]
    named = re.findall(r"`((?:stylegan|tests|examples|benchmarks)/[\w/]*\.py)`", text)
    if page == "docs/architecture.md":  # names files from inside the library
        rooms = "|".join(path.name for path in (ROOT / "stylegan").iterdir() if path.is_dir())
        named += [f"stylegan/{name}" for name in re.findall(rf"`((?:{rooms})/[\w/]*\.py)`", text)]
        assert len(named) > 20
    assert [str(path) for path in [*links, *(ROOT / name for name in named)] if not path.exists()] == []
