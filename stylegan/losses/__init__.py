"""Objectives of training, one per file. A loss takes tensors and knows no network.

Discriminators return logits [N, L], where L is 1 for most. Losses act on each logit, and training takes their mean.
"""
