"""Score directions: do they flip the attribute that they are for, and leave the others?

    python benchmarks/directions.py --data avatars50k.zip --test unseen10k.zip --out out/directions

Whether an attribute is in an image is judged by a small network that learns from real avatars, whose attributes are
known. It shares nothing with the classifier that the library finds directions with, a linear one on features of
EfficientNet-Lite0. An attribute counts as drawn by the network if 10 to 90 % of its images have it, and if the second
classifier ranks 90 % of the pairs of an image with and one without it as the judge does.

A direction moves each image away from what it shows: up the direction without the attribute, down with it. The
strength is the one of `STRENGTHS` at which most images flip, of those that leave 80 % of the other drawn attributes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import stylegan
from stylegan.data import open_dataset
from stylegan.editing.bundle import FILE
from stylegan.editing.classifier import LabelClassifier
from stylegan.editing.components import closed_form, pca_in_w
from stylegan.editing.direction_file import load_directions
from stylegan.editing.directions import Direction, orthogonal
from stylegan.editing.learned import learned_direction
from stylegan.editing.styles import style_channels
from stylegan.editing.supervised import classify_w, linear_direction
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_float
from stylegan.inversion.w_statistics import random_ws
from stylegan.models import bundled
from stylegan.sampling import draw
from stylegan.sampling.generate import to_latents
from stylegan.sampling.latent import Latent

TRAITS: dict[str, Callable[[dict[str, str]], bool]] = {  # attributes that are in the data set, but not among its labels
    "light_skin": lambda face: face["skin"] in ("pale", "light"),
    "blue_background": lambda face: face["background"] in ("sky", "lilac"),
}
STRENGTHS = (1, 1.5, 2, 3, 4)
CANDIDATES, CHOSEN_ON = 10, 24  # directions of a method without labels, and the seeds on which the best is chosen
STAY = 0.8  # of the other attributes
PSI = 0.7  # of the images that are moved
FIRST_SEED = 5000
AGREE = 0.9  # of the pairs of images, for an attribute that is drawn
BATCH = 100


class Judge(nn.Module):
    """Four convolutions and a linear layer: [N, 3, 64, 64] in [-1, 1] -> logits [N, attributes]."""

    def __init__(self, attributes: int):
        super().__init__()
        widths = [3, 16, 32, 64, 128]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 5, stride=2, padding=2) for i, o in pairwise(widths))
        self.out = nn.Linear(widths[-1] * 4 * 4, attributes)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
        return self.out(x.flatten(1))

    @torch.no_grad()
    def sees(self, images: Tensor) -> Tensor:
        """Return which attributes are in images uint8 [N, 3, 64, 64], bool [N, attributes]."""
        return torch.cat([self(to_float(part)) > 0 for part in images.split(BATCH)])


def labeled(zip_file: Path, count: int, first: int = 0) -> tuple[list[str], Tensor, Tensor]:
    """Return the names of all attributes, images uint8 [count, 3, R, R], and what they have, float32 [count, A]."""
    data = open_dataset(zip_file, use_labels=True)
    indices = range(first, first + count)
    with zipfile.ZipFile(zip_file) as archive:
        faces = json.loads(archive.read("dataset.json"))["attributes"]
    names = sorted(faces)
    traits = torch.tensor([[float(has(faces[names[i]])) for has in TRAITS.values()] for i in indices])
    assert data.label_names is not None
    return [*data.label_names, *TRAITS], data.images(indices), torch.cat([data.labels(indices), traits], 1)


def agreement(scores: Tensor, sees: Tensor) -> float:
    """Return the part of the pairs of an image with an attribute and one without it that scores rank so."""
    return float((scores[sees][:, None] > scores[~sees]).double().mean())


def trained(images: Tensor, has: Tensor, *, epochs: int = 5, seed: int = 0) -> Judge:
    """Train a judge: cross-entropy, Adam, a learning rate of one cycle up to 0.003."""
    torch.manual_seed(seed)
    judge = Judge(has.shape[1])
    optimizer = torch.optim.Adam(judge.parameters())
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.003, total_steps=steps)
    for _ in range(epochs):
        for part in torch.randperm(len(images)).split(BATCH):
            F.binary_cross_entropy_with_logits(judge(to_float(images[part])), has[part]).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return judge.eval().requires_grad_(False)


class Score(NamedTuple):
    """Effect of moving images along a direction, as parts of 1."""

    strength: float
    flips: float
    stays: float  # of the other drawn attributes

    @property
    def value(self) -> tuple[bool, float]:
        """Orders scores: those that leave enough of the others first, then by what flips."""
        return self.stays >= STAY, self.flips if self.stays >= STAY else self.flips + self.stays


class Judgment:
    """Scores directions on fixed latents."""

    def __init__(self, G: Any, judge: Judge, latents: Sequence[Latent], drawn: Sequence[int]):
        self.G, self.judge, self.latents, self.drawn = G, judge, latents, list(drawn)
        self.before = judge.sees(torch.stack(list(draw(G, latents))))

    def moved(self, direction: Direction, strength: float, up: Tensor) -> Tensor:
        """Return what is seen after moving each latent up or down a direction, bool [N, A]."""
        signs = [1 if one else -1 for one in up.tolist()]
        moved = (direction.moved(x, sign * strength) for x, sign in zip(self.latents, signs, strict=True))
        return self.judge.sees(torch.stack(list(draw(self.G, moved))))

    def score(self, direction: Direction, attribute: int, strength: float, sign: int = 1) -> Score:
        """Return what a direction does for an attribute."""
        up = ~self.before[:, attribute] if sign > 0 else self.before[:, attribute]
        return self.read(self.moved(direction, strength, up), attribute, strength)

    def read(self, after: Tensor, attribute: int, strength: float) -> Score:
        """Return the score of an attribute from what is seen after the move."""
        changed = (after != self.before).double()
        others = [i for i in self.drawn if i != attribute]
        return Score(strength, float(changed[:, attribute].mean()), 1 - float(changed[:, others].mean()))

    def best(self, direction: Direction, attribute: int, sign: int = 1) -> Score:
        """Return the score at the best strength."""
        return max((self.score(direction, attribute, s, sign) for s in STRENGTHS), key=lambda score: score.value)


def chosen(judgment: Judgment, candidates: Sequence[Direction], strength: float) -> dict[int, tuple[Direction, int]]:
    """Return the best of the candidates for each drawn attribute, and the sign that turns it on."""
    best: dict[int, tuple[tuple[bool, float], Direction, int]] = {}
    for direction in candidates:
        everywhere = torch.ones(len(judgment.latents), dtype=torch.bool)
        after = {sign: judgment.moved(direction, sign * strength, everywhere) for sign in (1, -1)}
        for a in judgment.drawn:
            for sign in (1, -1):  # those without the attribute go up, the others down
                up = (~judgment.before[:, a])[:, None]
                value = judgment.read(torch.where(up, after[sign], after[-sign]), a, strength).value
                if a not in best or value > best[a][0]:
                    best[a] = value, direction, sign
    return {a: (direction, sign) for a, (_, direction, sign) in best.items()}


@click.command()
@click.option("--network", default="avatars64", show_default=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Avatars to learn from.")
@click.option("--test", type=click.Path(exists=True, path_type=Path), required=True, help="Others, to test the judge.")
@click.option("--learn", default=12000, show_default=True, help="Avatars that the judge learns from.")
@click.option("--seeds", default=100, show_default=True, help="Images that are moved.")
@click.option("--samples", default=2000, show_default=True, help="Random w that directions are found in.")
@click.option("--out", type=click.Path(path_type=Path), default="out/directions", show_default=True)
def main(network: str, data: Path, test: Path, learn: int, seeds: int, samples: int, out: Path) -> None:
    """Print the tables, and write a sheet: each drawn attribute off and on, by the method that scored best for it."""
    G: Any = stylegan.load(network, device="cpu")
    names, images, has = labeled(data, learn)
    judge = trained(images, has)
    _, unseen, true = labeled(test, 2000)
    accuracy = ((judge.sees(unseen)) == (true > 0.5)).double().mean(0)
    classify = LabelClassifier(*labeled(data, 2000, learn)[1:], names)  # images that the judge did not see

    w = random_ws(G, None, samples)[:, 0]
    scores = classify_w(G, w, classify)
    latents = to_latents(G, range(FIRST_SEED, FIRST_SEED + seeds), psi=PSI)
    own = torch.stack(list(draw(G, to_latents(G, range(500), psi=PSI))))
    sees, finds = judge.sees(own), classify(own).cpu()
    share, agree = sees.double().mean(0), [agreement(finds[:, i], sees[:, i]) for i in range(len(names))]
    drawn = [i for i in range(len(names)) if agree[i] >= AGREE and 0.1 <= share[i] <= 0.9]
    judgment = Judgment(G, judge, latents, drawn)

    entangled = [linear_direction(G, w, scores[:, i], name=names[i]) for i in range(len(names))]
    found = [orthogonal(d, [entangled[j] for j in drawn if j != i], w) for i, d in enumerate(entangled)]
    click.echo(f"\nAttributes of {network}: the judge, and the direction found with labels\n")
    click.echo(
        "| attribute | judge right, unseen | images with it | ranked alike | drawn | strength | flips | others stay |"
    )
    click.echo("|---|---|---|---|---|---|---|---|")
    results: dict[int, Score] = {}
    for i, name in enumerate(names):
        results[i] = judgment.best(found[i], i)
        click.echo(
            f"| `{name}` | {accuracy[i]:.1%} | {share[i]:.0%} | {agree[i]:.0%} | {'yes' if i in drawn else 'no'} | "
            f"{results[i].strength:g} | {results[i].flips:.0%} | {results[i].stays:.0%} |"
        )

    chooser = Judgment(G, judge, to_latents(G, range(CHOSEN_ON), psi=PSI), drawn)
    by_effect = style_channels(G, w[:500], count=CANDIDATES)
    named = load_directions(bundled()[network] / FILE, G) if network in bundled() else {}
    methods: dict[str, dict[int, tuple[Direction, int]]] = {
        "bundled": {i: (named[names[i]], 1) for i in drawn if names[i] in named},
        "labels, orthogonal": {i: (found[i], 1) for i in drawn},
        "learned": {i: (learned_direction(G, w, classify, scores, i), 1) for i in drawn},
        "labels": {i: (entangled[i], 1) for i in drawn},
        "style channel, by labels": {i: (style_channels(G, w, count=1, values=scores[:, i])[0], 1) for i in drawn},
        "style channel, by effect": chosen(chooser, by_effect, 4),
        "PCA of w": chosen(chooser, pca_in_w(G, w, count=CANDIDATES), 3),
        "SeFa": chosen(chooser, closed_form(G, w, count=CANDIDATES), 3),
    }
    click.echo(f"\nDrawn attributes, {seeds} images each: flips / others stay (strength)\n")
    click.echo("| method | " + " | ".join(f"`{names[i]}`" for i in drawn) + " |")
    click.echo("|---" * (len(drawn) + 1) + "|")
    best: dict[int, tuple[tuple[bool, float], str, Direction, float]] = {}  # of each attribute, by the method
    for method, directions in methods.items():
        row = {i: judgment.best(direction, i, sign) for i, (direction, sign) in directions.items()}
        for i, (direction, sign) in directions.items():
            if i not in best or row[i].value > best[i][0]:
                best[i] = row[i].value, method, direction, sign * row[i].strength
        cells = [f"{row[i].flips:.0%} / {row[i].stays:.0%} ({row[i].strength:g})" if i in row else "" for i in drawn]
        click.echo(f"| {method} | " + " | ".join(cells) + " |")

    shown = []
    for i in drawn:
        for latent in latents[:3]:
            _, _, direction, strength = best[i]
            shown += draw(G, [direction.moved(latent, s * strength) for s in (-1, 0, 1)])
    out.mkdir(parents=True, exist_ok=True)
    stylegan.save_png(make_grid(shown, 9, len(drawn)), out / "sheet.png")
    rows = ", ".join(f"{names[i]} ({best[i][1]})" for i in drawn)
    click.echo(f"\nWrote {out / 'sheet.png'}: {rows} off, as drawn and on, of 3 seeds.")


if __name__ == "__main__":
    main()
