"""Connects systems (arrays) and mlcfile (bytes): turns streams of audio into streams of chunks and back."""
