"""Train a StyleGAN2 on the avatar faces that come with the library: python examples/train.py [OUT_DIR] [KIMG]"""

import sys

from stylegan.data.samples import avatars
from stylegan.training import train

out = sys.argv[1] if len(sys.argv) > 1 else "runs"
kimg = float(sys.argv[2] if len(sys.argv) > 2 else 50)  # thousands of images to train on

# Any data set will do, see stylegan.data.prepare; and so will any other setting, see training/config.py.
run = train(avatars(32), out, cfg="cpu32", kimg=kimg, tick_kimg=1, snap_ticks=5)
for tick in run:  # what happens in one step: training/phases.py
    print(f"{tick.nimg / 1000:6.1f} kimg  {1000 / tick.sec_per_kimg:4.0f} images/s  {tick.grid or ''}")
print(f"Wrote {run.folder}. Draw with it: python examples/generate.py {run.folder}")
