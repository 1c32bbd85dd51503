"""The denoiser's training: which optimiser steps what, and that a step learns."""

from __future__ import annotations

import torch

from ditto_music.models.small import debug_model
from ditto_music.models.small.denoiser import attend
from training.diffusion.train import flow_loss, optimizers


def test_muon_takes_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    denoiser = debug_model().denoiser.requires_grad_(True)
    denoiser.text.requires_grad_(False)
    muon, adamw = (
        {id(p) for group in it.param_groups for p in group["params"]}
        for it in optimizers(denoiser, 1e-3)
    )
    named = {k: p for k, p in denoiser.named_parameters() if p.requires_grad}
    assert muon.isdisjoint(adamw) and muon | adamw == {id(p) for p in named.values()}
    assert id(named["blocks.0.attention.qkv.weight"]) in muon
    assert id(named["enter.weight"]) in adamw
    assert id(named["blocks.0.offset"]) in adamw


def test_both_optimisers_lower_the_loss() -> None:
    denoiser = debug_model().denoiser.requires_grad_(True)
    denoiser.text.requires_grad_(False)
    x_0 = torch.randn(8, denoiser.config.channels, 1, generator=torch.Generator().manual_seed(1))
    x_0 = x_0.expand(-1, -1, 16).contiguous()
    words = torch.full((8, 2), 2), torch.zeros(8, 2)
    both = optimizers(denoiser, 3e-3)
    losses: list[float] = []
    for _ in range(30):
        loss = flow_loss(denoiser, x_0, *words, torch.Generator().manual_seed(0))
        loss.backward()
        for optimizer in both:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_attention_by_plain_products_is_that_of_the_fused_kernel() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 9, 16, generator=generator, requires_grad=True)
    mask = torch.arange(9) < torch.tensor([[9], [5]])
    for keys in (None, mask[:, None, None]):
        fused = attend(q, k, v, keys)
        with torch.autocast("cpu", torch.bfloat16):
            plain = attend(q, k, v, keys)
        assert plain.dtype == torch.bfloat16
        assert float((fused - plain).abs().max()) < 0.03
        a, b = (torch.autograd.grad(x.float().square().sum(), q)[0] for x in (fused, plain))
        assert float((a - b).norm() / a.norm()) < 0.03
