"""Makes recordings for a corpus."""

from pathlib import Path

import numpy as np
import soundfile


def record(path: Path, hz: float = 200.0, seconds: float = 0.5) -> None:
    """A tone in noise that fills every mel band."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(int(16000 * seconds)) / 16000
    noise = np.random.default_rng(int(hz)).normal(0, 0.05, len(time_s))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * time_s) + noise, 16000)
