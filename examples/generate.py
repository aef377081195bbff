"""Draw eight images with a trained network: python examples/generate.py [NETWORK] [IMAGE.png]"""

import sys

import stylegan

# A run, a checkpoint, or the name of a network that ships with the library
source = sys.argv[1] if len(sys.argv) > 1 else "avatars64"
dest = sys.argv[2] if len(sys.argv) > 2 else "out/example.png"

G = stylegan.load(source)  # the averaged generator, on a GPU if the machine has one
images = stylegan.generate(G, range(8), psi=0.7)  # seeds -> [8, C, H, W] uint8, 30 % nearer to the average image
stylegan.save_png(stylegan.grid(images, columns=4), dest)
print(f"Wrote {dest}")
