"""The files of a checkpoint, and those that a snapshot of a run has besides."""

from __future__ import annotations

CONFIG = "config.json"
NETWORKS = {  # network of a `Checkpoint` -> its file
    "G_ema": "generator_ema.safetensors",
    "G": "generator.safetensors",
    "D": "discriminator.safetensors",
}
DRAWS = "draws"  # in CONFIG of a bundled network: its images in a few words
# In CONFIG, if D is not that of the generation: its kind. If it sees images through a trained network: the name of that
# network, and the package and SHA-256 of its weights, which no file of the checkpoint contains.
KIND = "discriminator_kind"
FEATURES = "discriminator_features"
WEIGHTS = "discriminator_feature_weights"
COUNTERS = "training.json"
TENSORS = "training.safetensors"

# What a snapshot needs to be resumed but not to draw. The first marks it, so it is the last to be removed.
TRAINING_FILES = (COUNTERS, TENSORS, NETWORKS["G"], NETWORKS["D"])
