"""Train the denoiser: ``python -m training.diffusion --help``. See `training.diffusion.train`."""

from __future__ import annotations

from torch.multiprocessing.spawn import spawn

from training.diffusion.train import flags, train


def main() -> None:
    """Parse the flags and train."""
    parser = flags()
    args = parser.parse_args()
    if bool(args.words) != bool(args.text) or not (args.words or args.start):
        parser.error("give --words and --text together, or --start with all of a model")
    if args.workers == 1:
        train(0, args)
    else:
        spawn(train, (args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
