"""Training the latent diffusion transformer and its text encoder."""
