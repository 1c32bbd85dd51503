"""Training the latent diffusion transformer."""
