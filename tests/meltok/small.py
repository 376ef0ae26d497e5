"""Meltok with random weights, small enough to run in no time, but such that all of its field matters."""

import dataclasses

import torch
from torch import nn

from melcodec_cli.systems.meltok.config import Profile, TokenizerConfig, VocoderConfig
from melcodec_cli.systems.meltok.meltok import Meltok

SMALL = dataclasses.replace(
    Profile(),
    name="small",
    tokenizer=TokenizerConfig(
        codewords=64, lookup_width=8, width=16, encoder_blocks=2, decoder_blocks=2, attention=1
    ),
    vocoder=VocoderConfig(width=16, blocks=2, noise_frames=40, rounds=2),
    chunk_columns=20,
)
KINDS = ("mel", "tokens", "line")


def small_profile(kind: str) -> Profile:
    """kind: what the vocoder hears, or a line of indices in place of patches."""
    if kind == "line":
        return dataclasses.replace(SMALL, tokenizer=dataclasses.replace(SMALL.tokenizer, structure="line"))
    return dataclasses.replace(SMALL, vocoder=dataclasses.replace(SMALL.vocoder, hears=kind))


def small_meltok(kind: str = "mel") -> Meltok:
    torch.manual_seed(1)
    meltok = Meltok(small_profile(kind))
    meltok.tokenizer.mean.fill_(-4.0)
    meltok.tokenizer.deviation.fill_(0.5)
    nn.init.normal_(meltok.vocoder.noise)
    for name, parameter in meltok.named_parameters():
        if name.endswith(".scale"):
            nn.init.ones_(parameter)
        if ".depthwise" in name:
            nn.init.normal_(parameter)
    return meltok
