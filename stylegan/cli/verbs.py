"""The verbs of the command line."""

# Verb -> its line in `stylegan --help`. The module of a verb is imported only when the verb is used, so that help
# and completion do not wait for PyTorch.
VERBS = {
    "dataset": "Turn any folder, zip or IDX file of images into a checked data set.",
    "train": "Train a network on a data set, or continue a run.",
    "generate": "Draw images from a trained network, one per seed.",
    "mix": "Draw a matrix of images that mixes the styles of two sets of seeds.",
    "interpolate": "Draw a seamless loop that passes through several seeds.",
    "move": "Draw a seamless loop in which the images of a StyleGAN3 shift or rotate.",
    "project": "Find the latents whose images are closest to given ones.",
    "train-encoder": "Train an encoder, which finds latents at once, or turns sketches and other inputs into images.",
    "translate": "Draw images from sketches, small images and other inputs with such an encoder.",
    "directions": "Find directions in the latent spaces of a network, list them, and draw sheets of them.",
    "edit": "Change images along directions or by text, mix their styles, or add and subtract them.",
    "drag": "Move points of an image to other places.",
    "adapt": "Adapt a network to the manner of a few images or of a text.",
    "bend": "Shift, turn, scale, multiply and disturb the feature maps of a network, and draw the images.",
    "blend": "Write a network between two of one architecture, layer by layer.",
    "metrics": "Measure the quality of the images of a network.",
    "studio": "Open a page in the browser to explore, mix, loop, invert, edit and bend with trained networks.",
    "serve": "Serve the same as an HTTP API, without the page.",
    "models": "List the networks that ship with the library.",
    "convert": "Convert a checkpoint to a native folder or to the format of another tool; download published ones.",
    "info": "Print the layers, parameters and shapes of the networks in a checkpoint.",
}


def module_of(verb: str) -> str:
    """Return the name of the module that defines a verb."""
    return f"stylegan.cli.{verb.replace('-', '_')}"
