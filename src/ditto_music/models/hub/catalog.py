"""The public checkpoints that the adapters are for: what is known of them without a network.

Licences are of the model cards as read in 2026; sizes are counted from the configurations
(`benchmarks/hub_memory.py`), text encoders with them, not read off the hub. Before a download the
hub's own figures are shown in their place where it gives them.
"""

from __future__ import annotations

from dataclasses import dataclass

STABILITY = "Stability AI Community"
CC = "CC-BY-NC-SA-4.0"
SCRIPT = "python scripts/convert_stable_audio_3_to_diffusers.py"  # in a clone, in no package
MEDIUM = "stabilityai/stable-audio-3-medium"


@dataclass(frozen=True)
class Public:
    """One checkpoint.

    Attributes
    ----------
    family : of `docs/models`.
    millions : of weights: the text encoders', which are let go, and all others.
    stored : bytes a weight in the files.
    gated : whether its terms must be accepted on the hub first.
    revision : a commit that is known to exist, to pin it; None where none is known here.
    """

    name: str
    family: str
    about: str
    licence: str
    millions: tuple[int, int]
    stored: int = 4
    gated: bool = False
    revision: str | None = None

    @property
    def download(self) -> float:
        """Bytes."""
        return sum(self.millions) * 1e6 * self.stored

    def memory(self, bytes_a_weight: int) -> float:
        """Bytes of the weights once the text encoders are let go."""
        return self.millions[1] * 1e6 * bytes_a_weight


PUBLIC = (
    Public(
        "stabilityai/stable-audio-open-1.0",
        "stable-audio-open",
        "44.1 kHz stereo, up to 47 s; sounds and loops",
        STABILITY,
        (110, 1213),
        gated=True,
    ),
    Public(
        "stabilityai/stable-audio-3-small-music",
        "stable-audio-3",
        "44.1 kHz stereo, up to 120 s, 8 steps; its autoencoder is not in diffusers yet",
        f"{STABILITY}, Gemma",
        (283, 541),
        gated=True,
    ),
    Public(
        MEDIUM,
        "stable-audio-3",
        "44.1 kHz stereo, up to 380 s, 8 steps; to be converted once",
        f"{STABILITY}, Gemma",
        (283, 2305),
        gated=True,
    ),
    Public(
        "ACE-Step/acestep-v15-xl-turbo-diffusers",
        "ace-step",
        "48 kHz stereo, up to 240 s, 8 steps",
        "MIT",
        (1205, 4545),
        stored=2,
    ),
    Public(
        "ACE-Step/acestep-v15-xl-base-diffusers",
        "ace-step",
        "48 kHz stereo, up to 240 s, many steps, guided",
        "MIT",
        (1205, 4545),
        stored=2,
    ),
    Public(
        "cvssp/audioldm2-music",
        "audioldm2",
        "16 kHz mono, about 10 s",
        CC,
        (700, 460),
        revision="0019cb0bd4d314accff72aee1c3abd6f22929ba5",
    ),
    Public(
        "ucsd-reach/musicldm",
        "musicldm",
        "16 kHz mono, about 10 s",
        CC,
        (194, 295),
        revision="b8135e32e6b85e752c513d2e2ad44269e46024f7",
    ),
)

#: Of those that are not published in the layout of diffusers -> how to get it.
CONVERTED = {
    "stabilityai/stable-audio-3-small-music": "and its autoencoder is not one that diffusers has: "
    f"take {MEDIUM}",
    MEDIUM: "convert it in a clone of github.com/huggingface/diffusers, "
    f"{SCRIPT} --checkpoint_path {MEDIUM} --output_dir FOLDER, and give --model that folder",
}


def is_here(name: str) -> bool:
    """Whether a public model is in the hub's cache on this machine."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return False
    return isinstance(try_to_load_from_cache(name, "model_index.json"), str)


def told(where: str, licence: str | None, size: int | None) -> str:
    """Licence and size of a download, as the hub says or else as known here."""
    known = {public.name: public for public in PUBLIC}.get(where)
    bytes_told = f"{size / 1e9:.1f} GB" if size else "of unknown size"
    if known and not size:
        bytes_told = f"about {known.download / 1e9:.1f} GB"
    terms = licence or (known.licence if known else "not stated: see its page")
    return f"{where} is not here yet: licence {terms}; downloading {bytes_told}"
