"""What a campaign can still pay for; the rest of membership is tried through tests/tables/test_audiences.py."""

import pytest

from pipeline.models.membership import Purse


@pytest.mark.parametrize(
    ("purse", "contacts"),
    [
        (Purse(5.0), None),
        (Purse(0.0, 100.0, 7), None),
        (Purse(5.0, 100.0), 20),
        (Purse(5.0, 104.9, 3), 17),
        (Purse(5.0, 100.0, 21), 0),
        (Purse(5.0, 0.0), 0),
    ],
)
def test_contacts_that_can_still_be_paid_for(purse, contacts):
    assert purse.contacts == contacts
