"""A bundle's licence follows from those of its corpus."""

import pytest

from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.packing import licence_for


def test_terms_that_bind_pass_on_to_the_weights() -> None:
    free = {"CC BY 4.0", "Apache-2.0", "CC0-1.0", ""}
    assert licence_for(set()) == licence_for(free) == "Apache-2.0"
    assert licence_for(free | {"CC BY-NC-SA 4.0"}) == "CC BY-NC-SA 4.0"
    with pytest.raises(UsageProblem, match="say --licence"):
        licence_for({"CC BY-NC-SA 4.0", "CC BY-SA 4.0"})
