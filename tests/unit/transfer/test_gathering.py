"""How many manifests are stored together: a folder writes the list of all of them each time."""

import pytest

from transload.transfer.gathering import names_together


@pytest.mark.parametrize("images", [512, 10_000, 100_000])
def test_the_list_of_all_names_is_written_in_time_that_grows_with_their_number(images: int) -> None:
    named = written = 0
    while named < images:
        named = min(images, named + names_together(named))
        written += named
    assert written <= 10 * images, "entries that were written, all lists together"
