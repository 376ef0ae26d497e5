"""The rates and channel counts that melcodec can read and write."""

MIN_RATE_HZ = 4_000
MAX_RATE_HZ = 384_000
MAX_CHANNELS = 8


def usable_rate(rate_hz: int) -> str | None:
    """Why this rate cannot be used, or None."""
    if MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        return None
    return f"a rate of {rate_hz} Hz is outside {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"


def usable_channels(channels: int) -> str | None:
    """Why this many channels cannot be used, or None."""
    if 1 <= channels <= MAX_CHANNELS:
        return None
    return f"{channels} channels are outside 1 to {MAX_CHANNELS}"
