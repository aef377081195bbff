"""Refuse words and openings that make the prose hard to read. CONTRIBUTING.md says what to write instead.

python tests/test_words.py [FILE_OR_FOLDER ...]    lists every finding with its line, then counts per file
"""

import ast
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

SCOPE = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "pyproject.toml"),
    *("docs", "stylegan", "tests", "examples", "benchmarks"),
]
NOT_READ = ["docs/decisions", "stylegan/data/samples/LICENCE.md"]  # notes and licences are never rewritten

REFUSED = {
    r"told|tell|tells|telling|foretells?": "say, report, show, warn; 'None if unknown'",
    r"so (?:many|much|often|long)": "a number with its unit: 'N images', 'this many'",
    r"anew": "again",
    r"(?:go|goes|going|went|gone) on": "continue, resume",
    r"nobody|somebody|whoever|everybody|anybody": "name the person or the thing: user, caller, rank",
    r"lies|lie|stands|stand(?!-in| (?:for|in|alone)\b)|stood": "is, are",
    r"of which": "two sentences, or 'whose'",
    r"(?:is|are|was|were|be) there": "exists, is present, is available",
    r"not there|no longer there|already there": "missing, absent; already exists",
    r"pictures?": "image",
    r"to and fro": "back and forth",
    r"at hand": "available, ready",
    r"here(?:by|in|of|upon)|there(?:in|of|upon)|where(?:by|in|of|upon)|whence|hence|hitherto": "two sentences",
    r"of (?:today|yesterday|old)": "current, present, former",
    r"beforehand|afresh|learnt": "in advance; again; learned",
    r"sooner": "faster, earlier",
    r"without a word": "silently, without a warning",
    r"(?:to )?be had": "available",
    r"but for": "except",
    r"shall": "must, should",
    r"(?:one|images|ms|seconds|GB|MB) an? (?:file|axis|step|tick|tar|shard|block|side|process)": "per file, ...",
    r"lesser": "less important, smaller",
    r"mend|mends|mended": "fix, repair",
    r"colour\w*|grey\w*|centre\w*|neighbour\w*|behaviour\w*|favour\w*|honour\w*|artefacts?": "American spelling",
    r"(?:normal|optim|initial|synchron|regular|summar|recogn|quant|organ|minim|maxim|equal|serial|general)"
    r"is(?:e|es|ed|er|ers|ing|ation|ations)": "American spelling: -ize",
    r"(?:label|model|cancel|signal|travel)l(?:ed|ing)|analys(?:e|es|ed|ing)|judgements?|catalogues?|whilst": (
        "American spelling"
    ),
}
OPENINGS = re.compile(
    "(?:What|Where|Which|Whether|Who|Whom|Whose|Why|How|When|While|Of|In|As|At|By|For|From|If|To|With|Without|Before"
    "|After|Under|On|Over|Between|Besides?|Through|Until|Upon|That|These|Those|Only|Also|And|Or|But|Not|So|Then|There"
    r"|Here|Is|Are|Was|Were|Does|Do|Has|Have|Can|May|Must|It|The same)\b"
)

# Single places that keep a refused word: (file, word) -> reason.
ALLOWED: dict[tuple[str, str], str] = {
    ("stylegan/data/shards/index.py", "pictures"): "a key of index.json, format 1",
    ("stylegan/data/shards/writer.py", "pictures"): "a key of index.json, format 1",
    ("tests/data/shards/test_shard_dataset.py", "pictures"): "a key of index.json, format 1",
    ("stylegan/training/batches.py", "pictures"): "a key of training.json in the snapshots of earlier versions",
    ("stylegan/runs/folder.py", "tell"): "the position in a file",
    ("stylegan/data/samples/make_avatars.py", "colour"): "a key or value in the embedded avatars64.zip",
    ("stylegan/data/samples/make_avatars.py", "grey"): "a key or value in the embedded avatars64.zip",
}

SUFFIXES = (".py", ".md", ".html", ".toml")
PATTERNS = {re.compile(rf"\b(?:{words})\b".replace(" ", r"\s+"), re.IGNORECASE): say for words, say in REFUSED.items()}


class Finding(NamedTuple):
    file: str
    line: int
    word: str
    say: str  # what to write instead
    context: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word!r} in: {self.context}  ->  {self.say}"


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Comments (adjacent lines joined) and string literals with the lines on which they begin."""
    comment: list[str] = []
    begin = 0
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            begin = begin if comment else token.start[0]
            comment.append(token.string.lstrip("# "))
        elif token.type != tokenize.NL and comment:
            yield begin, "\n".join(comment)
            comment = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def texts(file: Path, source: str) -> Iterator[tuple[int, str]]:
    if file.suffix == ".py":
        yield from texts_of_python(source)
    else:  # examples of bad sentences are between two marks; blank lines keep the line numbers
        unread = r"<!-- words: off -->.*?<!-- words: on -->"
        yield 1, re.sub(unread, lambda match: "\n" * match[0].count("\n"), source, flags=re.DOTALL)


def openings(source: str) -> Iterator[tuple[int, str, str]]:
    """First word and first line of each docstring that starts with a relative word or a fragment."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (ast.get_docstring(node) or "").splitlines() or [""]
            if match := OPENINGS.match(lines[0]):
                yield node.body[0].lineno, match[0], lines[0]


def names(source: str) -> Iterator[tuple[int, str]]:
    """Identifiers as words ("test_same_seed", "TrainConfig" -> "test same seed", "Train Config"), once each."""
    seen = set()
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.NAME and token.string not in seen:
            seen.add(token.string)
            yield token.start[0], re.sub("(?<=[a-z])(?=[A-Z])|_+", " ", token.string).strip()


def findings(file: Path) -> list[Finding]:
    name = file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else str(file)
    source = file.read_text(encoding="utf-8")
    found = []
    for line, text in [*texts(file, source), *(names(source) if file.suffix == ".py" else [])]:
        for pattern, say in PATTERNS.items():
            for match in pattern.finditer(text):
                context = " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
                word = " ".join(match[0].lower().split())
                found.append(Finding(name, line + text[: match.start()].count("\n"), word, say, context))
    if file.suffix == ".py":
        for line, word, first in openings(source):
            found.append(Finding(name, line, word, "start a docstring with a verb or a noun", first))
    return sorted(one for one in found if (one.file, one.word) not in ALLOWED)


def files(paths: list[str]) -> list[Path]:
    """Python, Markdown, HTML and TOML files at or below these paths, relative to the repository or absolute."""
    unread = [*(ROOT / path for path in NOT_READ), Path(__file__).resolve()]  # this file has to contain the words
    found: set[Path] = set()
    for path in (ROOT / path for path in paths):
        found |= {path} if path.is_file() else {file for file in path.rglob("*") if file.suffix in SUFFIXES}
    return sorted(file for file in found if not any(file == other or other in file.parents for other in unread))


@pytest.mark.parametrize("path", SCOPE)
def test_prose_is_plain(path):
    found = [str(finding) for file in files([path]) for finding in findings(file)]
    assert found == [], "\n".join(found)


def test_allowed_places_still_contain_their_word():
    for name, word in ALLOWED:
        assert word in (ROOT / name).read_text(encoding="utf-8").lower(), f"{name} no longer needs {word!r}"


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ('"""Count images, so\nmany as needed."""', "so many"),
        ("x = 1  # nobody\n# goes\n# on\n", "goes on"),
        ('raise ValueError(f"{x} tells of others")', "tells"),
        ("def f():\n    '''What it does.'''", "What"),
        ("one_picture = BigPicture = 1\n", "picture"),
    ],
)
def test_refused_words_are_found_in_every_kind_of_prose(tmp_path, source, word):
    (tmp_path / "source.py").write_text(source)
    assert word in {finding.word for finding in findings(tmp_path / "source.py")}


def main(paths: list[str]) -> int:
    wanted = [str(Path(path).resolve()) for path in paths] or SCOPE
    found = [finding for file in files(wanted) for finding in findings(file)]
    for finding in found:
        print(finding)
    for name, count in Counter(finding.file for finding in found).most_common():
        print(f"{count:5}  {name}")
    print(f"{len(found):5}  in all")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
