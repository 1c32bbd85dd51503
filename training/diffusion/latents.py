"""Encode the whole data set once with the frozen encoder: ``python -m training.diffusion.latents``.

One safetensors file a shard of the data: a float16 tensor (C, T) a piece, by the piece's id, and in
the metadata, under ``encoder``, which encoder they are of.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ditto_music.errors import InputError
from ditto_music.models.small.codec import Codec
from ditto_music.models.small.model import load_codec
from ditto_music.whole import whole

FRAME_RATE = 24_000 / 512


@torch.no_grad()
def encode_shard(codec: Codec, shard: Path) -> dict[str, Tensor]:
    """Latents of every piece of one shard; a piece is cut to whole latent frames."""
    samples = np.load(shard, mmap_mode="r")
    latents: dict[str, Tensor] = {}
    for line in shard.with_suffix(".jsonl").read_text().splitlines():
        piece = json.loads(line)
        start, count = piece["offset"], piece["samples"]
        audio = torch.from_numpy(samples[start : start + count].astype(np.float32) / 32768)
        frame = codec.config.frame
        latent = codec.encode(F.pad(audio, (0, -count % frame))[None])[0, :, : count // frame]
        latents[str(piece["id"])] = latent.to(torch.float16).contiguous()
    return latents


def encoder_of(codec: Codec) -> str:
    """A hash of all that latents depend on, 16 hex digits; not of decoder and equalisers."""
    sizes = {k: v for k, v in asdict(codec.config).items() if not k.startswith("equaliser")}
    found = hashlib.sha256(json.dumps(sizes).encode())
    for name, value in sorted(codec.state_dict().items()):
        if name.startswith(("encoder.", "shift", "scale")):
            found.update(value.numpy().tobytes())
    return found.hexdigest()[:16]


def check_encoder(files: Iterable[Path], encoder: str) -> None:
    """Refuse latents of another encoder.

    Raises
    ------
    InputError
        If there are some among the files.
    """
    for path in files:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("encoder") != encoder:
                raise InputError(
                    f"{path}: these latents are not of this codec's encoder: give another --out, "
                    "or remove them"
                )


def load_latents(folder: Path) -> Mapping[str, Tensor]:
    """All latents of a folder, by piece id."""
    return {
        k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()
    }


def main() -> None:
    """Encode what is not encoded yet."""
    parser = argparse.ArgumentParser(description="Encode a data set with the codec's encoder.")
    parser.add_argument("--data", type=Path, required=True, help="folder made by training.data")
    parser.add_argument("--codec", type=Path, required=True, help="codec.safetensors")
    parser.add_argument("--out", type=Path, required=True, help="folder of the latents")
    args = parser.parse_args()
    codec = load_codec(args.codec)
    encoder = encoder_of(codec)
    args.out.mkdir(parents=True, exist_ok=True)
    check_encoder(args.out.glob("*.safetensors"), encoder)
    for shard in sorted(args.data.glob("shard-*.npy")):
        target = args.out / f"{shard.stem}.safetensors"
        if target.exists():
            continue
        latents = encode_shard(codec, shard)
        with whole(target) as temporary:
            save_file(latents, temporary, {"encoder": encoder})
        print(f"{target.name}: {len(latents)} pieces", flush=True)


if __name__ == "__main__":
    main()
