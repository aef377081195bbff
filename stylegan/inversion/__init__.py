"""Image -> latent: the projector, pivotal tuning and encoders."""
