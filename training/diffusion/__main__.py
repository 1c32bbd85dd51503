"""Train the denoiser: ``python -m training.diffusion --help``. See `training.diffusion.train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from torch.multiprocessing.spawn import spawn

from ditto_music.models.small.denoiser import DenoiserConfig
from training.diffusion.train import train


def main() -> None:
    """Parse the flags and train."""
    parser = argparse.ArgumentParser(description="Train the denoiser of ditto-small.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument(
        "--latents", type=Path, required=True, help="made by training.diffusion.latents"
    )
    parser.add_argument("--words", type=Path, help="made by training.text.distil")
    parser.add_argument("--text", type=Path, help="made by training.text.encoder")
    parser.add_argument(
        "--start",
        type=Path,
        help="denoiser.safetensors to begin from; with --words and --text its blocks alone",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--tokens", type=int, default=32 * 282, help="latent frames a batch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help="by torch.compile"
    )
    shape = DenoiserConfig()
    for key in ("width", "depth", "heads", "patch"):
        parser.add_argument(f"--{key}", type=int, default=getattr(shape, key), help="of new blocks")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--port", type=int, default=29_517, help="where workers meet")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if bool(args.words) != bool(args.text) or not (args.words or args.start):
        parser.error("give --words and --text together, or --start with all of a model")
    if args.workers == 1:
        train(0, args)
    else:
        spawn(train, (args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
