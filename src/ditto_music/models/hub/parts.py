"""Where the parts of a pipeline are while others work.

Text encoders are often larger than the network and are needed once a prompt. Once the network is
first asked they are let go: moved to main memory from a GPU, else dropped and read again from their
files when another prompt comes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch

from ditto_music.errors import InputError

Offload = Literal["none", "text", "all"]

OFFLOADS: tuple[Offload, ...] = ("none", "text", "all")
REST = torch.device("cpu")  # where a part of a GPU's waits

#: Reads one part of the pipeline, by its name, from where the pipeline came from.
Reader = Callable[[str], torch.nn.Module]


class Parts:
    """The modules of a pipeline, each where it is needed.

    Parameters
    ----------
    pipe : holds them as attributes.
    device : where they work.
    reader : reads a part that was dropped; without one none is.
    offload : "none" leaves all where they work, "text" lets go of what only prompts need, "all"
        also moves whatever is not at work off the device.

    Raises
    ------
    InputError
        If "all" is asked for where there is no device to move off.
    """

    def __init__(
        self, pipe: Any, device: torch.device, reader: Reader | None, offload: Offload = "text"
    ) -> None:
        if offload == "all" and device.type == REST.type:
            raise InputError(
                f"offload 'all' moves parts between a GPU and main memory, and the device is "
                f"{device}: take --offload text"
            )
        self.pipe, self.device, self.reader, self.offload = pipe, device, reader, offload
        self._still = False
        for name in self.names():
            module = getattr(pipe, name).eval().requires_grad_(False)
            if offload != "all":
                self.move(module, device)

    def names(self) -> list[str]:
        """Of the modules that are here."""
        parts: dict[str, Any] = self.pipe.components
        return [name for name, part in parts.items() if isinstance(part, torch.nn.Module)]

    def move(self, module: torch.nn.Module, device: torch.device) -> None:
        """To a device, if it is not there."""
        module.to(device)

    def fetch(self, names: Sequence[str]) -> None:
        """Have these parts where they work."""
        for name in names:
            if getattr(self.pipe, name) is None and self.reader:
                setattr(self.pipe, name, self.reader(name).eval().requires_grad_(False))
            self.move(getattr(self.pipe, name), self.device)

    def release(self, names: Sequence[str]) -> None:
        """These parts are not needed for a while."""
        if self._still or self.offload == "none":
            return
        for name in names:
            module = getattr(self.pipe, name)
            if module is None:
                continue
            if self.device.type != REST.type:
                self.move(module, REST)
            elif self.reader:
                setattr(self.pipe, name, None)

    @contextmanager
    def at_work(self, *names: str) -> Generator[None]:
        """Inside, these parts are where they work; under "all" nothing else is, nor they after."""
        if self._still or self.offload != "all":
            yield
            return
        self.fetch(names)
        try:
            yield
        finally:
            self.release(names)

    @contextmanager
    def held(self, *names: str) -> Generator[None]:
        """Inside, these parts are where they work and nothing moves.

        On fake tensors a move would put weights without contents in the place of the real ones.
        """
        with self.at_work(*names):
            self._still = True
            try:
                yield
            finally:
                self._still = False

    def bytes_of(self, names: Sequence[str] | None = None) -> int:
        """Of the weights and buffers of these parts, or of all that are here."""
        modules = [getattr(self.pipe, name) for name in (self.names() if names is None else names)]
        return sum(
            tensor.numel() * tensor.element_size()
            for module in modules
            if module is not None
            for tensor in (*module.parameters(), *module.buffers())
        )
