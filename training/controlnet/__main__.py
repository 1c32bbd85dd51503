"""Train the branch: ``python -m training.controlnet --help``. See `training.controlnet.train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.controlnet.train import train


def main() -> None:
    """Parse the flags and train."""
    parser = argparse.ArgumentParser(description="Train the branch that follows controls.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument(
        "--latents", type=Path, required=True, help="made by training.diffusion.latents"
    )
    parser.add_argument(
        "--denoiser", type=Path, required=True, help="to train beside, of the latents' codec"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run and weights: the denoiser's own"
    )
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--tokens", type=int, default=8 * 282, help="latent frames a batch")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--judge-every", type=int, default=250, help="steps; the weights too")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
