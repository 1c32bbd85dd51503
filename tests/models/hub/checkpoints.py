"""Small random checkpoints of the real classes, saved as the hub has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
from tokenizers import Tokenizer, models, pre_tokenizers

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.-:#*\n|<>_"


def stable_audio(folder: Path, *, real_rate: bool = False) -> None:
    """Stable Audio Open: 512 latents of 16 samples at 800 Hz, or 128 of 2048 at 44.1 kHz."""
    vae = diffusers.AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=[2, 4, 4, 8, 8] if real_rate else [2, 8],
        decoder_channels=3,
        decoder_input_channels=4,
        audio_channels=2,
        channel_multiples=[1, 1, 2, 2, 2] if real_rate else [2, 4],
        sampling_rate=44_100 if real_rate else 800,
    )
    transformer = diffusers.StableAudioDiTModel(
        sample_size=128 if real_rate else 512,
        in_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_key_value_attention_heads=1,
        num_attention_heads=2,
        out_channels=4,
        cross_attention_dim=8,
        time_proj_dim=8,
        global_states_input_dim=16,
        cross_attention_input_dim=8,
    )
    projection = StableAudioProjectionModel(
        text_encoder_dim=16, conditioning_dim=8, min_value=0, max_value=64
    )
    scheduler = diffusers.CosineDPMSolverMultistepScheduler(
        sigma_min=0.3, sigma_max=500, solver_order=2, prediction_type="v_prediction",
        sigma_data=1.0, sigma_schedule="exponential",
    )  # fmt: skip
    pipe = diffusers.StableAudioPipeline(
        vae=vae,
        text_encoder=t5(16),
        projection_model=projection,
        tokenizer=t5_tokenizer(),
        transformer=transformer,
        scheduler=scheduler,
    )
    saved(pipe, folder)


def stable_audio_3(folder: Path, *, distilled: bool = False, real_rate: bool = False) -> None:
    """Stable Audio 3: latents of 32 samples at 800 Hz, or of 4096 at 44.1 kHz."""
    vae = diffusers.AutoencoderSAME(
        patch_size=256 if real_rate else 8, encoder_channels=16, encoder_c_mults=(1,),
        encoder_strides=(16,) if real_rate else (4,), encoder_transformer_depths=(1,),
        latent_dim=8, dim_heads=8, sampling_rate=44_100 if real_rate else 800,
        encoder_sinusoidal_blocks=(0,), decoder_sinusoidal_blocks=(0,),
    )  # fmt: skip
    transformer = diffusers.StableAudio3DiTModel(
        io_channels=8, embed_dim=32, depth=2, num_heads=2, cond_token_dim=16, global_cond_dim=16,
        local_add_cond_dim=9, timestep_features_dim=16, ff_mult=2, num_memory_tokens=4,
    )  # fmt: skip
    module = transformers.T5GemmaConfig().encoder
    small = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 200,
    }  # fmt: skip
    inner = type(module)(**small)
    config = transformers.T5GemmaConfig(encoder=inner, decoder=inner, is_encoder_decoder=False)
    letters = {letter: i for i, letter in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", *LETTERS])}
    tokenizer = transformers.GemmaTokenizerFast(vocab=letters, merges=[], model_max_length=24)
    pipe = diffusers.StableAudio3Pipeline(
        vae=vae,
        text_encoder=transformers.T5GemmaEncoderModel(config),
        tokenizer=tokenizer,
        duration_embedder=StableAudio3DurationEmbedder(output_dim=16, fourier_dim=8, max_val=64.0),
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            num_train_timesteps=1, stochastic_sampling=distilled
        ),
    )
    saved(pipe, folder)


def musicldm(folder: Path) -> None:
    """MusicLDM: latents of four mel frames of 16 samples at 1600 Hz."""
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
        attention_head_dim=4,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=16,
        class_embeddings_concat=True,
    )
    pipe = diffusers.MusicLDMPipeline(
        vae=vae_of_mels(),
        text_encoder=clap(),
        tokenizer=roberta_tokenizer(),
        feature_extractor=transformers.ClapFeatureExtractor(feature_size=16),
        unet=unet,
        scheduler=ddim(),
        vocoder=vocoder(),
    )
    saved(pipe, folder)


def audioldm2(folder: Path) -> None:
    """AudioLDM2, likewise."""
    unet = diffusers.AudioLDM2UNet2DConditionModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=((None, 16, 32), (None, 16, 32)),
        attention_head_dim=4,
    )
    language = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            n_embd=16, n_layer=2, n_head=2, vocab_size=64, n_ctx=99, n_positions=99
        )
    )
    language.config.max_new_tokens = 8
    pipe = diffusers.AudioLDM2Pipeline(
        vae=vae_of_mels(),
        text_encoder=clap(),
        text_encoder_2=t5(32),
        projection_model=diffusers.AudioLDM2ProjectionModel(
            text_encoder_dim=16, text_encoder_1_dim=32, langauge_model_dim=16
        ),
        language_model=language,
        tokenizer=roberta_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        feature_extractor=transformers.ClapFeatureExtractor(feature_size=16),
        unet=unet,
        scheduler=ddim(),
        vocoder=vocoder(),
    )
    saved(pipe, folder)


def ace_step(folder: Path, *, turbo: bool = True, real_rate: bool = False) -> None:
    """ACE-Step 1.5: latents of 16 samples at 800 Hz, or of 1920 at 48 kHz."""
    from diffusers.pipelines.ace_step.modeling_ace_step import (
        AceStepAudioTokenDetokenizer,
        AceStepAudioTokenizer,
        AceStepConditionEncoder,
    )

    sizes: dict[str, Any] = {
        "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "sliding_window": 16,
    }  # fmt: skip
    vae = diffusers.AutoencoderOobleck(
        encoder_hidden_size=16, decoder_channels=3, decoder_input_channels=8, audio_channels=2,
        downsampling_ratios=[2, 4, 4, 6, 10] if real_rate else [2, 8],
        channel_multiples=[1, 1, 2, 2, 2] if real_rate else [2, 4],
        sampling_rate=48_000 if real_rate else 800,
    )  # fmt: skip
    transformer = diffusers.AceStepTransformer1DModel(
        **sizes, num_hidden_layers=2, in_channels=24, audio_acoustic_hidden_dim=8, is_turbo=turbo,
        encoder_hidden_size=32,
    )  # fmt: skip
    encoder = AceStepConditionEncoder(
        **sizes, text_hidden_dim=16, timbre_hidden_dim=8, num_lyric_encoder_hidden_layers=1,
        num_timbre_encoder_hidden_layers=1,
    )  # fmt: skip
    encoder.silence_latent.normal_(generator=torch.Generator().manual_seed(0))
    text = transformers.Qwen3Model(
        transformers.Qwen3Config(
            vocab_size=200, hidden_size=16, intermediate_size=32, num_hidden_layers=2, head_dim=8,
            num_attention_heads=2, num_key_value_heads=1,
        )
    )  # fmt: skip
    pipe = diffusers.AceStepPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=plain_tokenizer(transformers.PreTrainedTokenizerFast),
        transformer=transformer,
        condition_encoder=encoder,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
        audio_tokenizer=AceStepAudioTokenizer(**sizes, audio_acoustic_hidden_dim=8, fsq_dim=32),
        audio_token_detokenizer=AceStepAudioTokenDetokenizer(**sizes, audio_acoustic_hidden_dim=8),
    )
    saved(pipe, folder)


#: Class of the pipeline -> who makes one.
MAKERS: dict[str, Callable[[Path], None]] = {
    "StableAudioPipeline": stable_audio,
    "StableAudio3Pipeline": stable_audio_3,
    "AceStepPipeline": ace_step,
    "AudioLDM2Pipeline": audioldm2,
    "MusicLDMPipeline": musicldm,
}

#: Those that every feature is tried on: of ACE-Step turbo, and base with its own guidance.
MODELS = (*MAKERS, "base")


def own_guidance(name: str) -> float | None:
    """Off, which halves the time; but base is nothing without its own."""
    return None if name.endswith("base") else 1.0


# --- parts ---------------------------------------------------------------------------------------


def saved(pipe: Any, folder: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            for parameter in part.parameters():  # no layer is left at zero
                with torch.no_grad():
                    parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    pipe.save_pretrained(folder, safe_serialization=True)


def t5(width: int) -> transformers.T5EncoderModel:
    return transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=200, d_model=width, d_ff=24, d_kv=8, num_layers=1, num_heads=2
        )
    )


def t5_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS]
    return transformers.T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=24)


def roberta_tokenizer() -> Any:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = {letter: i for i, letter in enumerate([*special, "Ġ", *LETTERS])}
    return transformers.RobertaTokenizerFast(vocab=letters, merges=[], model_max_length=16)


def plain_tokenizer(kind: Any) -> Any:
    letters = {letter: i for i, letter in enumerate(["<pad>", "<unk>", " ", *LETTERS])}
    inner = Tokenizer(models.WordLevel(letters, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return kind(tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", model_max_length=256)


def clap() -> transformers.ClapModel:
    small = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2}
    return transformers.ClapModel(
        transformers.ClapConfig(
            text_config={
                **small, "num_hidden_layers": 1, "vocab_size": 200, "max_position_embeddings": 40,
                "projection_dim": 16,
            },
            audio_config={
                "hidden_size": 8, "num_mel_bins": 16, "spec_size": 16, "depths": [1, 1],
                "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 4,
                "projection_dim": 16, "num_hidden_layers": 2, "patch_size": 4, "window_size": 4,
                "patch_stride": [4, 4],
            },
            projection_dim=16,
        )
    )  # fmt: skip


def vae_of_mels() -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=[8, 16, 16], in_channels=1, out_channels=1, norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
        latent_channels=4, scaling_factor=0.7,
    )  # fmt: skip


def vocoder() -> transformers.SpeechT5HifiGan:
    return transformers.SpeechT5HifiGan(
        transformers.SpeechT5HifiGanConfig(
            model_in_dim=16, sampling_rate=1600, upsample_initial_channel=16,
            upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]], normalize_before=False,
        )
    )  # fmt: skip


def ddim() -> diffusers.DDIMScheduler:
    """As diffusers' converters configure it."""
    return diffusers.DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
