"""Train a StyleGAN2 on the avatar faces that come with the library: python examples/train.py [OUT_DIR] [KIMG]"""

import sys
from pathlib import Path

from stylegan.data import open_dataset, prepare
from stylegan.data.samples import avatars
from stylegan.training import train
from stylegan.training.config import from_preset
from stylegan.training.run import new_run_folder

out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
kimg = float(sys.argv[2] if len(sys.argv) > 2 else 50)  # thousands of images to train on

data = out / "avatars32.zip"
if not data.exists():
    prepare(avatars(), data, resolution=32)  # any folder of your images will do: prepare("photos", ...)
dataset = open_dataset(data)
config = from_preset("cpu32", dataset, {"kimg": kimg, "tick_kimg": 1, "snap_ticks": 5})  # and any other setting
run = new_run_folder(out, config, dataset.name)
for tick in train(config, run, dataset=dataset):  # yields now and then; what happens in one step: training/phases.py
    print(f"{tick.nimg / 1000:6.1f} kimg  {1000 / tick.sec_per_kimg:4.0f} images/s  {tick.grid or ''}")
print(f"Wrote {run}. Draw with it: python examples/generate.py {run}")
