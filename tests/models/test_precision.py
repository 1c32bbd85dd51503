"""The precision taken where none is asked for: by what torch can tell of the device."""

import pytest
import torch

from ditto_music.models import fastest_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16"])
def test_bfloat16_where_the_processor_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, instructions: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert fastest_dtype(CPU) == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instructions: True})
    assert fastest_dtype(CPU) == torch.bfloat16
    assert fastest_dtype(torch.device("meta")) == torch.float32


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float32), ((8, 6), torch.bfloat16)]
)
def test_a_gpu_that_only_emulates_bfloat16_takes_float32(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert fastest_dtype(torch.device("cuda")) == dtype


def test_an_older_torch_lists_no_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    for here, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda here=here: here)
        assert fastest_dtype(CPU) == dtype
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert fastest_dtype(CPU) == torch.float32
