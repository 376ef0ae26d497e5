"""`melcodec train` on a handful of tone clips: what is trained here need not sound, only behave."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from melcodec_cli.cli import main
from melcodec_cli.models.bundle import load_bundle
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.train.folders import UNKNOWN_LICENCE
from melcodec_cli.train.presets import preset_text
from tests.train.tiny import rows, tiny_preset

pytestmark = pytest.mark.slow

pytest.importorskip("pyworld", reason="training needs the extra train")

TINY = ["--preset", "tiny"]


def test_train_all_packs_a_bundle_with_its_history(run: Path) -> None:
    info = read_bundle_info(run / "tiny.safetensors")
    assert info.name == "tiny"
    assert set(info.training["stages"]) == {"phones", "coder", "pitch", "refiner", "vocoder"}
    assert info.training["stages"]["coder"]["step"] == 8
    assert info.training["corpus"]["sources"] == {"tones": "CC0-1.0"}
    assert load_bundle(info, "cpu").bitstream_id.hex() == info.bitstream_id


def test_bundle_check_accepts_it_and_refuses_changed_weights(run: Path, tmp_path: Path) -> None:
    assert main(["bundle", "check", str(run / "tiny.safetensors")]) == 0
    content = bytearray((run / "tiny.safetensors").read_bytes())
    content[-1] ^= 0x40
    (tmp_path / "changed.safetensors").write_bytes(content)
    assert main(["bundle", "check", str(tmp_path / "changed.safetensors")]) == 5


def test_bundle_pack_says_which_stage_is_missing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["bundle", "pack", str(tmp_path / "empty"), str(tmp_path / "b.safetensors"), *TINY]) == 2
    assert "phones has not been trained" in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()


def test_bundle_pack_takes_a_name_so_that_two_of_a_profile_live_side_by_side(
    run: Path, tmp_path: Path
) -> None:
    target = tmp_path / "b.safetensors"
    assert main(["bundle", "pack", str(run), str(target), *TINY, "--name", "mine"]) == 0
    info, own = read_bundle_info(target), read_bundle_info(run / "tiny.safetensors")
    assert (info.name, info.profile_name) == ("mine", "tiny")
    assert (info.bitstream_id, info.renderer_id) == (own.bitstream_id, own.renderer_id)
    assert (own.licence, info.licence) == ("Apache-2.0", UNKNOWN_LICENCE)  # which follows from --data


def test_bundle_unpack_restores_what_pack_takes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, again = run / "tiny.safetensors", tmp_path / "again.safetensors"
    assert main(["bundle", "unpack", str(bundle), str(tmp_path / "run")]) == 0
    assert main(["bundle", "pack", str(tmp_path / "run"), str(again), *TINY]) == 0
    one, other = read_bundle_info(bundle), read_bundle_info(again)
    assert (one.bitstream_id, one.renderer_id) == (other.bitstream_id, other.renderer_id)
    assert one.training["stages"] == other.training["stages"]
    assert main(["bundle", "unpack", str(bundle), str(tmp_path / "run")]) == 6
    assert "already exists" in capsys.readouterr().err


def test_a_stage_is_trained_beside_those_that_are_unpacked(
    run: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(run / "tiny.safetensors")
    assert main(["bundle", "unpack", bundle, str(tmp_path), "--stage", "coder", "--stage", "pitch"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "coder"), str(tmp_path / "pitch")]
    common = ["--data", str(speech), "--cache", str(run / "cache"), "--run", str(tmp_path), "--device", "cpu"]
    assert main(["train", "vocoder", *TINY, *common, "--init", bundle, "--steps", "1"]) == 0
    assert not (tmp_path / "refiner").exists()


def test_train_all_packs_under_the_given_licence_or_ends_before_it_trains(
    run: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (torn := tmp_path / "speech").mkdir()
    for path in speech.glob("s?"):
        (torn / path.name).symlink_to(path)
    manifest = (speech / "manifest.csv").read_text().replace("s1,CC0-1.0", "s1,CC BY-SA 4.0")
    (torn / "manifest.csv").write_text(manifest.replace("s2,CC0-1.0", "s2,CC BY-NC 4.0"))
    arguments = ["--preset", str(run / "tiny.toml"), "--data", str(torn), "--cache", str(run / "cache")]
    arguments += ["--steps", "8", "--device", "cpu"]
    assert main(["train", "all", *arguments, "--run", str(tmp_path / "new")]) == 2
    assert "CC BY-NC 4.0 and CC BY-SA 4.0: choose one with --licence" in capsys.readouterr().err
    assert not (tmp_path / "new" / "coder").exists()

    shutil.copytree(run, tmp_path / "done", ignore=shutil.ignore_patterns("cache"))
    arguments += ["--run", str(tmp_path / "done"), "--resume", "--licence", "LicenseRef-mine"]
    assert main(["train", "all", *arguments]) == 0
    assert read_bundle_info(tmp_path / "done" / "tiny.safetensors").licence == "LicenseRef-mine"


def copy_of_few_figures(stage: Path, target: Path) -> None:
    """A stage's folder with the first figures of its log alone: each takes matplotlib a fifth of a second to draw."""
    shutil.copytree(stage, target)
    log = target / "log.csv"
    log.write_text("".join(",".join(line.split(",")[:5]) + "\n" for line in log.read_text().splitlines()))


def test_plot_draws_a_picture_of_every_stage(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra train")
    for log in run.glob("*/log.csv"):
        copy_of_few_figures(log.parent, tmp_path / "run" / log.parent.name)
    assert main(["train", "plot", str(tmp_path / "run"), "-o", str(tmp_path)]) == 0
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == ["coder.png", "phones.png", "pitch.png", "refiner.png", "vocoder.png"]


def test_the_pitch_is_drawn_as_measured_and_as_estimated(run: Path, tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="plots need the extra train")
    curves = load_file(run / "pitch" / "curves.safetensors")
    assert sorted(curves) == ["estimated from the coded mel", "estimated from the original mel", "measured"]
    assert curves["measured"].nanmedian() == pytest.approx(250, abs=25)
    shapes = {curves[name].shape for name in curves}
    assert shapes == {np.load(run / "pitch" / "sample.npy").shape[1:2]}

    copy_of_few_figures(run / "pitch", tmp_path / "pitch")
    heights = []
    for _ in range(2):
        assert main(["train", "plot", str(tmp_path)]) == 0
        heights.append(len(pyplot.imread(tmp_path / "pitch.png")))
        (tmp_path / "pitch" / "curves.safetensors").unlink(missing_ok=True)  # as a run of an older release
    assert heights[0] > heights[1] * 1.1


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--preset", "huge"], "no preset is named 'huge'"),
        ([*TINY, "--init", "nothing.safetensors"], "nothing.safetensors"),
        ([*TINY, "--init", __file__, "--steps", "1"], f"{__file__}: no weights to start from"),
    ],
    ids=["unknown preset", "no file", "no weights"],
)
def test_mistakes_are_named_in_one_line(
    arguments: list[str], named: str, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "coder", "--data", str(speech), "--run", str(tmp_path), *arguments]) == 2
    assert named in capsys.readouterr().err


def test_a_refiner_without_a_coder_is_refused(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "refiner", *TINY, "--data", str(speech), "--run", str(tmp_path), "--steps", "1"]
    assert main(arguments) == 2
    assert "train the coder first" in capsys.readouterr().err


def test_a_run_can_begin_with_the_weights_of_another_profile(
    run: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "strict.toml"
    tiny = tiny_preset()
    head, rest = tiny.split("[profile.timbre]")
    preset.write_text(
        head.replace("[profile]", "[profile]\ntimbre = false")
        + "[profile.refiner]"
        + rest.split("[profile.refiner]")[1]
    )
    arguments = ["--data", str(speech), "--cache", str(run / "cache"), "--run", str(tmp_path / "run")]
    arguments += ["--preset", str(preset), "--init", str(run / "tiny.safetensors"), "--steps", "1"]
    assert main(["train", "coder", *arguments, "--device", "cpu"]) == 0
    assert "weights do not fit and are left" in capsys.readouterr().err
    ours = load_file(tmp_path / "run" / "coder" / "stage.safetensors")
    theirs = load_file(run / "coder" / "stage.safetensors")
    assert not any(name.startswith("timbre.") for name in ours)
    assert torch.allclose(ours["mean"], theirs["mean"], atol=0.01)


def test_the_pitch_stage_listens_to_the_coder(run: Path, speech: Path, tmp_path: Path) -> None:
    """With its loss alone, the decoded mel comes closer to what it hears in the original."""
    preset = tmp_path / "heard.toml"
    only = "absolute = 0.0\nsquared = 0.0\ncodebook = 0.0\nenvelope = 0.0\ndifference = 0.0\npitch = 1.0\n"
    often = tiny_preset().replace("minutes = 0.6", "dev_steps = 1\nrate = 0.01\nminutes = 0.6", 1)
    preset.write_text(often + "\n[stages.coder.losses]\n" + only)
    shutil.copytree(run / "pitch", tmp_path / "run" / "pitch")
    arguments = ["--data", str(speech), "--cache", str(run / "cache"), "--run", str(tmp_path / "run")]
    assert (
        main(["train", "coder", "--preset", str(preset), *arguments, "--steps", "30", "--device", "cpu"]) == 0
    )
    heard = [float(row["pitch"]) for row in rows(tmp_path / "run" / "coder" / "log.csv")]
    assert np.mean(heard[-5:]) < np.mean(heard[:5])


# Few channels and crops, and the last part of the run is half of it.
NARROW = {
    **dict.fromkeys(("half_width", "token_width", "frame_width", "width", "upsample_width"), "16"),
    "adversary_width": "2",
    "batch": "2",
    "chunk_tokens": "25",
    "consistency_from": "0.5",
}


def test_the_published_scheme_trains_and_its_model_codes(
    speech: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = preset_text("published")
    for setting, value in NARROW.items():
        text, found = re.subn(rf"(?m)^{setting} = \S+", f"{setting} = {value}", text)
        assert found, setting
    preset = tmp_path / "published.toml"
    preset.write_text(text)
    arguments = ["--data", str(speech), "--run", str(tmp_path), "--cache", str(run / "cache")]
    assert main(["train", "all", "--preset", str(preset), *arguments, "--steps", "2", "--device", "cpu"]) == 0
    log = capsys.readouterr().err
    for figure in ("adversary", "deceived", "features", "consistency"):
        assert figure in log
    bundle = str(tmp_path / "published.safetensors")
    chain = load_bundle(Path(bundle), "cpu").system
    assert isinstance(chain, Chain)
    assert chain.pitch is None and chain.coder.timbre is None
    assert {option.name: option.default for option in chain.options}["steps"] == 4

    audio, coded, decoded = speech / "s0" / "a.wav", tmp_path / "a.mlc", tmp_path / "a.wav"
    assert main(["compress", "--bundle", bundle, "--device", "cpu", str(audio), "-o", str(coded)]) == 0
    assert main(["decompress", "--bundle", bundle, "--device", "cpu", str(coded), "-o", str(decoded)]) == 0
    assert soundfile.info(decoded).frames == soundfile.info(audio).frames
