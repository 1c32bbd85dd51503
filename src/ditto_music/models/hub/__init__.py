"""Public models, by hub id or from a folder that `save_pretrained` wrote: one thin adapter each.

An adapter takes the parts of a `diffusers` pipeline (transformer or U-Net, autoencoder, vocoder,
text encoders) and calls them as the pipeline would, with gradients; no pipeline is run. Weights are
read from safetensors only.
"""
