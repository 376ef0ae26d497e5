"""Joins the chain (tensors) and mlcfile (bytes): streams of audio to streams of chunks and back."""
