"""Draw eight images with a trained network: python examples/generate.py RUN_OR_CHECKPOINT [IMAGE.png]"""

import sys

import stylegan

if len(sys.argv) < 2:
    sys.exit(__doc__)
source = sys.argv[1]  # written by `stylegan train` or examples/train.py
dest = sys.argv[2] if len(sys.argv) > 2 else "out/example.png"

G = stylegan.load(source)  # the averaged generator, on a GPU if the machine has one
images = stylegan.generate(G, range(8), psi=0.7)  # seeds -> [8, C, H, W] uint8, 30 % nearer to the average image
stylegan.save_png(stylegan.grid(images, columns=4), dest)
print(f"Wrote {dest}")
