"""A patch codec with random weights, small enough to run in no time, but loud."""

import dataclasses

import torch
from torch import nn

from melcodec_cli.layers.pitch_config import PitchConfig
from melcodec_cli.layers.tokenizer_config import TokenizerConfig
from melcodec_cli.systems.patch.config import Profile, VocoderConfig
from melcodec_cli.systems.patch.patch import Patch
from melcodec_cli.systems.patch.vocoder import PatchVocoder

SMALL = dataclasses.replace(
    Profile(),
    name="small",
    tokenizer=TokenizerConfig(codewords=64, width=16, encoder_blocks=2, decoder_blocks=2),
    pitch=PitchConfig(bins=32, width=16, blocks=2),
    vocoder=VocoderConfig(width=16, blocks=2, noise_frames=40, upsample_width=16),
    chunk_columns=25,
)


def small_patch(vocoder: str = "harmonic") -> Patch:
    torch.manual_seed(1)
    patch = Patch(dataclasses.replace(SMALL, vocoder=dataclasses.replace(SMALL.vocoder, name=vocoder)))
    patch.tokenizer.mean.fill_(-4.0)
    stacks: list[nn.Module] = [patch.tokenizer.encoder, patch.tokenizer.decoder]
    if isinstance(patch.vocoder, PatchVocoder):
        nn.init.normal_(patch.vocoder.noise)
        stacks.append(patch.vocoder.stack)
    for stack in stacks:
        for name, scale in stack.named_parameters():
            if name.endswith(".scale"):
                nn.init.ones_(scale)
    return patch
