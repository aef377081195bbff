"""The commands and the Python of the README run as they stand, only smaller."""

import os
import re
import shlex
from pathlib import Path
from string import Template

import pytest
from PIL import Image
from run_cli import run_cli
from tiny_run import tiny_images

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
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
        exec(smaller(block), names)
    assert names["images"].shape == (8, 3, 16, 16)
    with Image.open("out/eight.png") as image:
        assert image.size == (4 * 16, 2 * 16)


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    missing = [link for link in links if "//" not in link and not (Path(__file__).parents[1] / link).exists()]
    assert missing == []
