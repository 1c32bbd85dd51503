"""The modes of torch that a caller is in change nothing here: work is done in modes of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import torch

CASTING = ("cpu", "cuda", "mps", "xpu")  # devices that autocast knows


@contextmanager
def own_modes() -> Generator[None]:
    """Inside, gradients are on, and neither inference mode nor an autocast of the caller's is."""
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as off:
        for device in filter(torch.is_autocast_enabled, CASTING):
            off.enter_context(torch.autocast(device, enabled=False))
        yield


@contextmanager
def apart() -> Generator[None]:
    """Inside, what outlasts a call is made: the same in any modes and of any default type, and with
    torch's random numbers as they were. Initial weights are drawn there, if only to be overwritten.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with own_modes(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(default)
