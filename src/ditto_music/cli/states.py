"""What a killed search of a batch goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ditto_music.jobs.store import Store

if TYPE_CHECKING:
    from torch import Tensor

    from ditto_music.optimize import Progress
    from ditto_music.protocols import Model

STATES, STATE_EVERY = "states", 10  # iterations between two saved states


class States:
    """The callback that keeps the best noise of each item of a search where a restart finds it."""

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        self.store, self.keys = store, list(keys)
        self.best: dict[int, tuple[float, float, Tensor]] = {}

    def __call__(self, progress: Progress) -> None:
        """Remember; now and then, write down."""
        for i, row, noise in zip(progress.items, progress.rows, progress.noise, strict=True):
            steps, loss, _ = self.best.get(i, (0.0, float("inf"), noise))
            if row["steps"] > steps or (row["steps"] == steps and row["loss"] < loss):
                self.best[i] = row["steps"], row["loss"], noise
        if progress.iteration % STATE_EVERY == 0:
            self.save()

    def save(self) -> None:
        """Write the best of each item down."""
        from safetensors.torch import save_file

        for i, (_, _, noise) in self.best.items():
            with self.store.draft() as folder:
                path = folder / "state.safetensors"
                save_file({"x_T": noise.cpu().contiguous()}, path)
                self.store.put(path, f"{STATES}-{self.keys[i]}.safetensors")

    def start(self, model: Model, seconds: float, seeds: Sequence[int], steps: int = 1) -> Tensor:
        """The noise to go on from: what was saved, or the seeds' own.

        Parameters
        ----------
        steps : where later noises are searched too, of the sampler; (B, steps, ...) is returned.
        """
        from safetensors.torch import load_file

        from ditto_music.sampling import draw_noises

        noise = draw_noises(model.latent_shape(seconds), seeds, steps)
        for i, key in enumerate(self.keys):
            with self.store.draft() as folder:
                path = folder / "state.safetensors"
                if self.store.get(f"{STATES}-{key}.safetensors", path):
                    saved = load_file(path)["x_T"]
                    noise[i] = saved if steps > 1 else saved[None]
        return noise if steps > 1 else noise[:, 0]
