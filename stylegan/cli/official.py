"""The command lines of the official tools and of well-known forks, and what each part is here: one table.

The parser translates by it (`translation.py`), its errors are these sentences, and docs/official.md prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Verb(NamedTuple):
    """A program of the official tools, such as `gen_images.py`."""

    theirs: str  # without .py, perhaps with a sub-command
    ours: str | None  # the verb, which may be planned; None for none
    note: str = ""  # one sentence: what to do instead


class Flag(NamedTuple):
    """A flag of the official tools that this library spells otherwise, or does not have.

    VALUES in capital letters stand for any value, and the same word in `ours` for that value. Other values are
    patterns such as `http*.pkl`, separated by |; 1 and 0 are also true and false.
    """

    verb: str  # of ours
    theirs: str  # --flag, or --flag VALUE
    ours: str | None  # the words that replace it, "" for none; None if it is refused
    note: str = ""  # why it is refused and what to do instead; or the end of the sentence that is printed with it


VERBS = (
    Verb("gen_images", "generate"),
    Verb("run_generator generate-images", "generate"),
    Verb("generate generate-images", "generate"),
    Verb("generate images", "generate"),
    Verb("gen_video", "interpolate"),
    Verb("generate random-video", "interpolate"),
    Verb("style_mixing", "mix"),
    Verb("run_generator style-mixing-example", "mix"),
    Verb("generate style-mixing-example", "mix"),
    Verb("run_training", "train"),
    Verb("calc_metrics", "metrics"),
    Verb("run_metrics", "metrics"),
    Verb("dataset_tool", "dataset"),
    Verb(
        "dataset_tool create_from_images",
        None,
        "TFRecords are neither written nor read; use `stylegan dataset --source FOLDER --dest NAME.zip`.",
    ),
    Verb("projector", "project"),
    Verb("run_projector", "project"),
    Verb("run_inversion", "project"),
    Verb("visualizer", "studio"),
    Verb("legacy", "convert"),
    Verb(
        "gen_class_samplesheet",
        None,
        "draw a sheet for each class with `stylegan generate --class LABEL --seeds 0-31 --grid 8x4`.",
    ),
    Verb(
        "avg_spectra",
        None,
        "average spectra are not computed; compare networks with `stylegan metrics`.",
    ),
)

# Flags with the same name and meaning, by verb.
SAME = {
    "train": (
        "--outdir --data --cfg --batch --batch-gpu --gamma --cond --mirror --subset --kimg --tick --snap --seed "
        "--metrics --aug --p --target --augpipe --freezed --cbase --cmax --glr --dlr --map-depth --mbstd-group "
        "--workers --allow-tf32 --desc --gpus --dry-run -n --resume"
    ),
    "generate": "--network --seeds --trunc --class --noise-mode --outdir --translate --rotate",
    "interpolate": "--network --seeds --trunc --class --noise-mode",
    "mix": "--network --rows --cols --styles --trunc --noise-mode --outdir",
    "metrics": "--network --data --metrics --mirror --gpus",
    "dataset": "--source --dest --resolution --width --height --transform --max-images --resize-filter",
}

_NAMED = "ffhq1024|ffhq512|ffhq256|celebahq256|lsundog256"
_DOWNLOAD = "nothing is downloaded; fetch the file yourself, and name it with"
_OWN_METRICS = "fid50k_full|fid50k|kid50k_full|kid50k|pr50k3_full|pr50k3|is50k|ppl*"
_NO_INCEPTION = (
    "the feature networks of this metric do not ship with the library; fid50k_efflite0 and fid50k_mobilenetv2 compare "
    "the same images in features of other networks, so their scores differ from those of papers."
)
_TFRECORDS = "TFRecords are not read; make a zip with `stylegan dataset`, and name it with --data."
_KNOWS = "a resumed run knows how far it is; resume it with --resume RUN, without this flag."
_STEM = "super-resolution stems of StyleGAN-XL are not part of this library; train at the full resolution."

FLAGS = (
    # train: StyleGAN2-ADA and StyleGAN3
    Flag("train", "--fp32 1", "--precision fp32"),
    Flag("train", "--fp32 0", ""),
    Flag("train", "--nhwc BOOL", "", "has no effect; the memory layout is chosen for the device."),
    Flag("train", "--nobench BOOL", "", "has no effect; cuDNN is not asked to try algorithms."),
    Flag("train", "--resume noresume", ""),
    Flag("train", f"--resume {_NAMED}", None, f"{_DOWNLOAD} --resume FILE."),
    Flag("train", "--resume http*", None, f"{_DOWNLOAD} --resume FILE."),
    Flag("train", "--data http*.zip", None, f"{_DOWNLOAD} --data FILE; only shards are streamed from a URL."),
    Flag("train", f"--metrics {_OWN_METRICS}", None, _NO_INCEPTION),
    # train: StyleGAN2-ADA for TensorFlow
    Flag("train", "--aug adarv", None, "ADA by a validation set is not part of this library; use --aug ada."),
    Flag("train", "--cmethod nocmethod", ""),
    Flag(
        "train", "--cmethod NAME", None, "the comparison methods of the paper are not part of this library; use --aug."
    ),
    Flag(
        "train",
        "--dcap VALUE",
        None,
        "set the width of the discriminator with --set discriminator.channel_base=CHANNELS.",
    ),
    Flag(
        "train",
        "--res PX",
        None,
        "the data set determines the resolution; choose it with `stylegan dataset --resolution`.",
    ),
    Flag(
        "train",
        "--metricdata DATA",
        None,
        "snapshots are scored against --data; for others use `stylegan metrics --data`.",
    ),
    # train: StyleGAN2 for TensorFlow
    Flag("train", "--num-gpus N", "--gpus N"),
    Flag("train", "--config config-f", "--cfg stylegan2"),
    Flag("train", "--config config-a", "--cfg stylegan1"),
    Flag(
        "train",
        "--config config-[b-e]",
        None,
        "the steps between StyleGAN and StyleGAN2 have no presets; use --cfg stylegan1 or stylegan2.",
    ),
    Flag("train", "--mirror-augment BOOL", "--mirror BOOL"),
    Flag("train", "--total-kimg KIMG", "--kimg KIMG"),
    Flag("train", "--result-dir DIR", "--outdir DIR"),
    Flag("train", "--data-dir DIR", None, _TFRECORDS),
    Flag("train", "--dataset NAME", None, _TFRECORDS),
    # train: forks
    Flag("train", "--mirror-x BOOL", "--mirror BOOL"),
    Flag("train", "--mirrorx BOOL", "--mirror BOOL"),
    Flag("train", "--mirrory BOOL", "--mirror-y BOOL"),
    Flag("train", "--freezeD LAYERS", "--freezed LAYERS"),
    Flag(
        "train",
        "--freezem LAYERS",
        None,
        "a part of the mapping network cannot be frozen; --freeze-mapping freezes all of it.",
    ),
    Flag(
        "train",
        "--freezee BOOL",
        None,
        "the embedding of labels cannot be frozen alone; --freeze-mapping freezes the mapping network.",
    ),
    Flag("train", "--initstrength P", "--set augment.start=P", "sets the probability at the start, with --aug ada."),
    Flag("train", "--nkimg KIMG", None, _KNOWS),
    Flag("train", "--resume-kimg KIMG", None, _KNOWS),
    Flag("train", "--resume-pkl FILE", "--resume FILE"),
    Flag("train", "--topk VALUE", None, "top-k training is not part of this library; leave it out."),
    Flag("train", "--img-snap TICKS", None, "--snap TICKS writes snapshots and image grids together; leave it out."),
    Flag(
        "train",
        "--cfg stylegan2-ext|stylegan3-t-ext",
        None,
        "extended networks are not part of this library; use --cfg stylegan2 or stylegan3-t.",
    ),
    Flag(
        "train",
        "--cfg 11gb-gpu*|24gb-gpu*|48gb-gpu*|24gb-2gpu*",
        None,
        "presets do not name a GPU here; use --cfg auto --batch auto.",
    ),
    Flag(
        "train",
        "--subfolders-as-labels BOOL",
        None,
        "class folders become labels in `stylegan dataset --labels folders`; then train with --cond.",
    ),
    # train: StyleGAN-XL and Projected GAN
    Flag("train", "--syn-layers LAYERS", "--set generator.num_layers=LAYERS"),
    Flag(
        "train",
        "--cfg fastgan*",
        None,
        "FastGAN is not part of this library; use --cfg stylegan2 --discriminator projected.",
    ),
    Flag("train", "--stem BOOL", None, _STEM),
    Flag("train", "--superres BOOL", None, _STEM),
    Flag("train", "--up-factor N", None, _STEM),
    Flag("train", "--head-layers LAYERS", None, _STEM),
    Flag("train", "--path-stem FILE", None, _STEM),
    Flag("train", "--cls-weight WEIGHT", None, "classifier guidance is not part of this library; leave it out."),
    Flag(
        "train",
        "--restart-every SECONDS",
        None,
        "stop a run with SIGTERM before its time ends, and continue it with --resume RUN.",
    ),
    # generate
    Flag("generate", "--network http*", None, f"{_DOWNLOAD} --network FILE."),
    Flag("generate", "--projected-w FILE", "--seeds FILE"),
    Flag("generate", "--truncation-psi PSI", "--trunc PSI"),
    Flag("generate", "--result-dir DIR", "--outdir DIR"),
    Flag("generate", "--batch-sz IMAGES", "--batch IMAGES"),
    Flag("generate", "--save-grid 1", "--grid auto"),
    Flag("generate", "--save-grid 0", ""),
    Flag("generate", "--grid-width N", None, "a grid has a width and a height; use --grid COLSxROWS."),
    Flag(
        "generate",
        "--new-center SEED",
        None,
        "truncation moves to the average image or to that of a class; see --trunc-center.",
    ),
    Flag("generate", "--anchor-latent-space BOOL", None, "images are not moved to a common pose; leave it out."),
    Flag("generate", "--centroids-path FILE", None, "the centers of classes are computed; use --trunc-center class."),
    # interpolate
    Flag("interpolate", "--network http*", None, f"{_DOWNLOAD} --network FILE."),
    Flag("interpolate", "--output FILE", "--dest FILE"),
    Flag("interpolate", "--outdir DIR", None, "a loop is one file; name it with --dest FILE.gif."),
    Flag("interpolate", "--w-frames FRAMES", "--frames FRAMES"),
    Flag("interpolate", "--grid 1x1", ""),
    Flag(
        "interpolate",
        "--grid COLSxROWS",
        None,
        "a loop shows one image at a time; leave it out, and write a loop for each place.",
    ),
    Flag("interpolate", "--num-keyframes N", None, "every seed is a keyframe; give N seeds, for example --seeds 0-3."),
    Flag(
        "interpolate",
        "--shuffle-seed SEED",
        None,
        "seeds are passed in the order in which --seeds lists them; write them in another order.",
    ),
    Flag(
        "interpolate", "--duration-sec SECONDS", None, "the loop lasts as long as its --frames for each seed at --fps."
    ),
    # mix
    Flag("mix", "--network http*", None, f"{_DOWNLOAD} --network FILE."),
    Flag("mix", "--row-seeds SEEDS", "--rows SEEDS"),
    Flag("mix", "--col-seeds SEEDS", "--cols SEEDS"),
    Flag("mix", "--col-styles LAYERS", "--styles LAYERS"),
    Flag("mix", "--truncation-psi PSI", "--trunc PSI"),
    Flag("mix", "--result-dir DIR", "--outdir DIR"),
    # metrics
    Flag("metrics", "--network http*", None, f"{_DOWNLOAD} --network FILE."),
    Flag("metrics", f"--metrics {_OWN_METRICS}", None, _NO_INCEPTION),
    Flag("metrics", "--verbose BOOL", "", "has no effect; progress is shown on a terminal."),
    Flag("metrics", "--num-gpus N", "--gpus N"),
    Flag("metrics", "--mirror-augment BOOL", "--mirror BOOL"),
    Flag("metrics", "--data-dir DIR", None, _TFRECORDS),
    Flag("metrics", "--dataset NAME", None, _TFRECORDS),
    # dataset
    Flag("dataset", "--subfolders-as-labels 1", "--labels folders"),
    Flag("dataset", "--subfolders-as-labels 0", "--labels json"),
    Flag(
        "dataset", "--transform center-crop-tall", None, "tall images have no transform of their own; use center-crop."
    ),
    Flag("dataset", "--transform none", ""),
    Flag("dataset", "--force-channels 4", "--alpha"),
    Flag(
        "dataset",
        "--force-channels N",
        None,
        "a set has one channel if all images are gray, else three, and four with --alpha; leave it out.",
    ),
    Flag("dataset", "--source http*", None, f"{_DOWNLOAD} --source FILE."),
)


def markdown() -> str:
    """Return the table as Markdown: programs, then a section of flags for each verb."""
    verbs = [(_code(verb.theirs), _code(verb.ours), verb.note) for verb in VERBS]
    parts = ["## Programs", _table(("official program", "`stylegan` verb", ""), verbs)]
    for name, same in SAME.items():
        rows = [(_code(flag.theirs), _ours(flag), _sentence(flag)) for flag in FLAGS if flag.verb == name]
        parts += [f"## `stylegan {name}`", f"The same in both: {', '.join(map(_code, same.split()))}."]
        parts += [_table(("official flag", "here", ""), rows)] if rows else []
    return "\n\n".join(parts) + "\n"


def _ours(flag: Flag) -> str:
    if flag.ours is None:
        return "refused"
    return _code(flag.ours) or ("accepted" if flag.note else "the default")


def _sentence(flag: Flag) -> str:
    return flag.note[:1].upper() + flag.note[1:]


def _code(text: str | None) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("--",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
