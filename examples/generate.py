"""Draw eight images with a trained network: python examples/generate.py RUN_OR_CHECKPOINT [IMAGE.png]"""

import sys

import torch

import stylegan
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_uint8
from stylegan.images.png import save_png
from stylegan.networks.protocol import device_of

if len(sys.argv) < 2:
    sys.exit(__doc__)
source = sys.argv[1]  # what `stylegan train` or examples/train.py wrote
dest = sys.argv[2] if len(sys.argv) > 2 else "out/example.png"

G = stylegan.load(source)  # the averaged generator, on a GPU if there is one
z = stylegan.latents(range(8), G.z_dim).to(device_of(G))  # seeds -> [8, z_dim], unit Gaussian
with torch.inference_mode():
    ws = G.mapping(z, truncation_psi=0.7)  # -> [8, num_ws, w_dim], one w per layer, 30 % nearer to the average
    img = G.synthesis(ws, noise_mode="const")  # -> [8, C, H, W], colors in [-1, 1]
save_png(make_grid(to_uint8(img), columns=4, rows=2), dest)
print(f"Wrote {dest}")
