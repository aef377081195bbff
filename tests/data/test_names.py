from __future__ import annotations

import pytest

from stylegan.data.names import is_leftover, leftover, plain_name


@pytest.mark.parametrize(
    "name",
    [
        *("._cat.png", ".DS_Store", "__MACOSX", "Icon\r", ".Trashes", ".AppleDouble"),
        *(
            "Thumbs.db",
            "THUMBS.DB",
            "desktop.ini",
            "$RECYCLE.BIN",
            "System Volume Information",
            "a.png:Zone.Identifier",
        ),
        *("@eaDir", "#recycle", "lost+found", "found.000", ".git", ".ipynb_checkpoints", "__pycache__", ".nfs0001"),
        *("a.png~", "~$a.png", "#a.png#", "a.png.part", "a.png.crdownload", "a.tmp", ".a.png.swp", "a.png.bak"),
    ],
)
def test_names_of_systems_and_tools_are_leftovers(name):
    assert is_leftover(name)


@pytest.mark.parametrize(
    "name", ["cat", "cat.png", "~.png", "a~b.png", "C#", "MACOSX", "..", ".", "", "recycled", "part", "git", "Ünï.png"]
)
def test_other_names_are_data(name):
    assert not is_leftover(name)


def test_the_outermost_leftover_is_named():
    assert leftover("a/.git/b/.c.png") == "a/.git"
    assert leftover("a/b/._c.png") == "a/b/._c.png"
    assert leftover("a/b/c.png") is None


def test_plain_names_have_slashes_and_no_dots_between_them():
    assert plain_name(".\\a\\.\\b.png") == plain_name("./a//b.png") == "a/b.png"
    assert plain_name("/a.png") == "/a.png"
    assert plain_name("../a.png") == "../a.png"
