"""The classroom experiment: a StyleGAN1 on gray images of 64x64 pixels, with style mixing and truncation.

python examples/mnist_stylegan1.py IMAGES [OUT_DIR] [KIMG]

IMAGES is train-images-idx3-ubyte.gz of MNIST or of Fashion-MNIST (Debian: dataset-fashion-mnist), or any folder.
"""

import sys
from pathlib import Path

import stylegan
from stylegan.images import make_grid
from stylegan.runs.report import loss_plot
from stylegan.sampling import mixing_matrix, parse_styles, truncation_sweep

if len(sys.argv) < 2:
    sys.exit(__doc__)
source = Path(sys.argv[1])
out = Path(sys.argv[2] if len(sys.argv) > 2 else "out/mnist")
kimg = float(sys.argv[3] if len(sys.argv) > 3 else 100)  # thousands of images to train on

# The 28x28 images are padded to 32x32 and enlarged to 64x64.
data = out / "gray64.zip"
if not data.exists():
    stylegan.prepare(source, data, resolution=64, max_images=20000)

# Logistic loss with R1 in every step, style mixing, and progressive growing from 8x8 in the first third of the run.
channels = {"channel_base": 1024, "channel_max": 64}
run = stylegan.train(
    data,
    out,
    cfg="stylegan1-cpu64",
    kimg=kimg,
    tick_kimg=kimg / 50,
    snap_ticks=10,
    growing={"training_kimg": kimg / 18, "transition_kimg": kimg / 18},
    generator=channels,
    discriminator=channels,
)
for tick in run:
    print(f"{tick.nimg / 1000:6.1f} kimg  {1000 / tick.sec_per_kimg:4.0f} images/s", flush=True)

G = stylegan.load(run.folder)
loss_plot(run.folder, out / "losses.png")
stylegan.save_png(stylegan.grid(stylegan.generate(G, range(16), psi=0.7), columns=4), out / "grid.png")
sweep = truncation_sweep(G, range(4), [0.5, 0.7, 1.0, 1.5])
stylegan.save_png(make_grid(sweep, columns=4, rows=4), out / "truncation.png")
rows, columns = range(4), range(4, 8)
for styles in ("coarse", "middle", "fine"):  # the layers that the rows take from the columns
    mixed = mixing_matrix(G, rows, columns, parse_styles(styles, G.num_ws), psi=0.7)
    stylegan.save_png(make_grid(mixed, columns=5, rows=5), out / f"mix_{styles}.png")
print(f"Wrote losses.png, grid.png, truncation.png and mix_*.png into {out}.")
