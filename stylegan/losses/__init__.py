"""Objectives of training, one per file. A loss takes tensors and knows no network."""
