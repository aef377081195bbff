"""The classroom experiment: a StyleGAN1 on gray images of 64x64 pixels, with style mixing and truncation.

python examples/mnist_stylegan1.py IMAGES [OUT_DIR] [KIMG]

IMAGES is train-images-idx3-ubyte.gz of MNIST or of Fashion-MNIST (Debian: dataset-fashion-mnist), or any folder.
"""

import sys
from pathlib import Path

import stylegan
from stylegan.data import open_dataset, prepare
from stylegan.images.grid import make_grid
from stylegan.machine.devices import resolve_device
from stylegan.machine.memory import keep_freed_memory
from stylegan.machine.precision import best_precision
from stylegan.runs.report import loss_plot
from stylegan.sampling.mixing import mixing_matrix, parse_styles
from stylegan.sampling.truncation import truncation_sweep
from stylegan.training.assemble import from_preset
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder

if len(sys.argv) < 2:
    sys.exit(__doc__)
source = Path(sys.argv[1])
out = Path(sys.argv[2] if len(sys.argv) > 2 else "out/mnist")
kimg = float(sys.argv[3] if len(sys.argv) > 3 else 100)  # thousands of images to train on

# The 28x28 images are padded to 32x32 and enlarged to 64x64.
data = out / "gray64.zip"
if not data.exists():
    prepare(source, data, resolution=64, max_images=20000)
dataset = open_dataset(data)

# Logistic loss with R1 in every step, style mixing, and progressive growing from 8x8 in the first third of the run.
config = from_preset(
    "stylegan1-cpu64",
    dataset,
    {
        "precision": best_precision(resolve_device()),
        "kimg": kimg,
        "tick_kimg": kimg / 50,
        "snap_ticks": 10,
        "growing.training_kimg": kimg / 18,
        "growing.transition_kimg": kimg / 18,
        "generator.channel_base": 1024,
        "generator.channel_max": 64,
        "discriminator.channel_base": 1024,
        "discriminator.channel_max": 64,
    },
)
keep_freed_memory()
run = new_run_folder(out, config, dataset.name)
for tick in train(config, run, dataset=dataset):
    print(f"{tick.nimg / 1000:6.1f} kimg  {1000 / tick.sec_per_kimg:4.0f} images/s", flush=True)

G = stylegan.load(run)
loss_plot(run, out / "losses.png")
stylegan.save_png(stylegan.grid(stylegan.generate(G, range(16), psi=0.7), columns=4), out / "grid.png")
sweep = truncation_sweep(G, range(4), [0.5, 0.7, 1.0, 1.5])
stylegan.save_png(make_grid(sweep, columns=4, rows=4), out / "truncation.png")
rows, columns = range(4), range(4, 8)
for styles in ("coarse", "middle", "fine"):  # the layers that the rows take from the columns
    mixed = mixing_matrix(G, rows, columns, parse_styles(styles, G.num_ws), psi=0.7)
    stylegan.save_png(make_grid(mixed, columns=5, rows=5), out / f"mix_{styles}.png")
print(f"Wrote losses.png, grid.png, truncation.png and mix_*.png into {out}.")
