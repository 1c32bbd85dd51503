"""What TensorFlow itself makes of fixed sounds, kept as a reference for the rebuilt networks.

    python3 -m venv elsewhere && elsewhere/bin/pip install tensorflow-cpu==2.21.0 librosa==0.11.0
    elsewhere/bin/python training/musicnn/reference.py musicnn-0.1.0-py3-none-any.whl

runs the graphs of the wheel, as they were saved, on three sounds of formulas and the recordings of
tests/recordings, and writes tests/features/musicnn_reference.json. It needs nothing of this
project. The front end is the package's in librosa, in float32 throughout: the package's float16
overflows.
"""

from __future__ import annotations

import json
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
import tensorflow as tf  # pyright: ignore[reportMissingModuleSource]
from tensorflow.core.protobuf.meta_graph_pb2 import (  # pyright: ignore[reportMissingModuleSource]
    MetaGraphDef,
)

ROOT = Path(__file__).parents[2]
RATE, WINDOW, HOP, BANDS, PATCH = 16_000, 512, 256, 96, 187
SAMPLES = (2 * PATCH - 1) * HOP  # two whole patches
FOLDERS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn", "msd-vgg": "MSD_vgg"}
LOGITS = {"msd": "model/dense_1/BiasAdd", "mtt": "model/dense_1/BiasAdd"}
PENULTIMATE = "model/batch_normalization_10/batchnorm/add_1"


def sounds() -> dict[str, np.ndarray]:
    """Each of `SAMPLES` samples at 16 kHz, float32."""
    n = np.arange(SAMPLES, dtype=np.float64)
    t = n / RATE
    made = {
        "chord": sum(0.2 * np.sin(2 * np.pi * f * t) for f in (220.0, 277.18, 329.63)),
        "chirp": 0.5 * np.sin(2 * np.pi * (50 * t + 600 * t**2)),
        "hats": 0.3 * np.sin(n**2 % 1009) * np.exp(-(t % 0.25) / 0.03),
    }
    for path in sorted((ROOT / "tests" / "recordings").glob("*.flac")):
        made[path.stem] = librosa.load(path, sr=RATE, mono=True)[0][:SAMPLES]
    return {name: np.asarray(sound, np.float32) for name, sound in made.items()}


def patches(sound: np.ndarray) -> np.ndarray:
    """What the package feeds its networks, (2, 187, 96)."""
    mel = librosa.feature.melspectrogram(
        y=sound, sr=RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS, pad_mode="reflect"
    )
    return np.log10(10_000 * mel + 1).T.reshape(2, PATCH, BANDS)


def graph(meta: bytes, wanted: list[str]) -> tuple[tf.Graph, str, str, str]:
    """The saved graph without its training part; names of input, phase and file placeholders."""
    saved = MetaGraphDef()
    saved.ParseFromString(meta)
    nodes = {node.name: node for node in saved.graph_def.node}
    kept = tf.compat.v1.graph_util.extract_sub_graph(saved.graph_def, [*wanted, "save/restore_all"])
    for node in kept.node:
        node.attr.pop("_output_shapes", None)
    places = [node.name for node in kept.node if node.op == "Placeholder"]
    sound = next(p for p in places if nodes[p].attr["dtype"].type == tf.float32.as_datatype_enum)
    phase = next(p for p in places if nodes[p].attr["dtype"].type == tf.bool.as_datatype_enum)
    built = tf.Graph()
    with built.as_default():
        tf.import_graph_def(kept, name="")
    return built, f"{sound}:0", f"{phase}:0", saved.saver_def.filename_tensor_name


def main() -> None:
    """Write the reference."""
    heard = {name: patches(sound) for name, sound in sounds().items()}
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "musicnn-unpacked")
    with zipfile.ZipFile(sys.argv[1]) as archive:
        archive.extractall(folder)
    reference: dict[str, dict[str, dict[str, list[float]]]] = {}
    made = (
        f"training/musicnn/reference.py, TensorFlow {tf.__version__}, librosa {version('librosa')}"
    )
    for which, source in FOLDERS.items():
        logits = LOGITS.get(which, "model/dense/BiasAdd")
        wanted = [logits, PENULTIMATE] if which in LOGITS else [logits]
        checkpoint = folder / "musicnn" / source
        built, sound, phase, name = graph((checkpoint / ".meta").read_bytes(), wanted)
        with tf.compat.v1.Session(graph=built) as session:
            session.run("save/restore_all", {name: f"{checkpoint}/"})
            for key, batch in heard.items():
                feed = {sound: batch, phase: False}
                out = [session.run(f"{node}:0", feed) for node in wanted]
                probabilities = (1 / (1 + np.exp(-out[0].astype("f8")))).mean(0)
                entry = reference.setdefault(which, {}).setdefault(key, {})
                entry["tags"] = [round(float(value), 6) for value in probabilities]
                if len(out) > 1:
                    entry["embedding"] = [round(float(value), 5) for value in out[1].mean(0)]
    path = ROOT / "tests" / "features" / "musicnn_reference.json"
    path.write_text(json.dumps({"made": made, **reference}, indent=0).replace(",\n", ", ") + "\n")


if __name__ == "__main__":
    main()
