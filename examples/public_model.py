"""Any public model from Python: memory told first, a curve followed, what was found saved.

python examples/public_model.py cvssp/audioldm2-music "calm piano ballad" --out rise.wav
"""

from __future__ import annotations

import argparse

from ditto_music import Intensity, load_model, optimize
from ditto_music.memory import Estimate
from ditto_music.optimize import Progress


class Watch:
    """Prints what is foretold, then every iteration's loss."""

    def expect(self, estimate: Estimate) -> None:
        """Before the first iteration, on models large enough to need it."""
        print(estimate)

    def __call__(self, progress: Progress) -> None:
        """After each."""
        print(f"iteration {progress.iteration}: {progress.rows[0]['loss']:.2f}")


def main(argv: list[str] | None = None) -> None:
    """Make one clip that grows from quiet to loud."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="owner/name[@revision], or a folder")
    parser.add_argument("prompt")
    parser.add_argument("--out", default="rise.wav")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--steps", type=int, help="default: the model's own")
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args(argv)
    model = load_model(asked.model, device=asked.device, notice=print)
    result = optimize(
        model,
        asked.prompt,
        Intensity([-38, -18]),
        duration=asked.seconds,
        steps=asked.steps,
        iterations=asked.iterations,
        gradient="blocks",
        callback=Watch(),
    )
    result.save(asked.out)
    report = result.report()
    print(f"{asked.out}: loss {report['loss']['final']:.2f}, weights {report['revision']}")


if __name__ == "__main__":
    main()
