"""A bundle's licence follows from those of its corpus."""

import pytest

from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.folders import UNKNOWN_LICENCE
from melcodec_cli.train.packing import licence_for

pytestmark = pytest.mark.slow


def test_terms_that_bind_pass_on_to_the_weights() -> None:
    free = {"CC BY 4.0", "Apache-2.0", "CC0-1.0"}
    assert licence_for(free) == "Apache-2.0"
    assert licence_for(free | {"CC BY-NC-SA 4.0"}) == "CC BY-NC-SA 4.0"
    with pytest.raises(UsageProblem, match="choose one with --licence"):
        licence_for({"CC BY-NC-SA 4.0", "CC BY-SA 4.0"})


def test_weights_of_speech_without_a_licence_have_none_that_is_known() -> None:
    assert licence_for(set()) == UNKNOWN_LICENCE
    assert licence_for({"CC0-1.0", UNKNOWN_LICENCE}) == UNKNOWN_LICENCE
    assert licence_for({"CC BY-NC-SA 4.0", UNKNOWN_LICENCE}) == UNKNOWN_LICENCE
