"""What the response model would say had a user bought less: the user's own lines cut, everybody else's as they were.

As `what_if` for lists. What the user was sent and answered stays: only purchases play. Shapes: C coalitions, N items.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.features import responses
from pipeline.features.responses import Campaign, Contacts, Crowd, Lines
from pipeline.models.audiences import ResponseModel


@dataclass(frozen=True)
class Contact:
    """One user and one campaign before the response model.

    Attributes:
        model: that served.
        campaign: the campaign.
        day: day number before which all is known.
        lines: purchases of everybody.
        contacts: sends and responses of everybody.
        texts: float32 [I, T] unit text vectors of the items.
        creative: float32 [T] of the campaign.
        user: place among the users of the lines.
    """

    model: ResponseModel
    campaign: Campaign
    day: int
    lines: Lines
    contacts: Contacts
    texts: np.ndarray
    creative: np.ndarray
    user: int

    @cached_property
    def items(self) -> np.ndarray:
        """Int [N] what the user bought before the day: places in the catalogue, ascending."""
        return np.unique(self.lines.item[self._mine])

    @cached_property
    def others(self) -> Crowd:
        """Everybody, the user as they are among them."""
        return responses.crowd(self.day, self.lines, self.contacts, self.texts)

    def scores(self, kept: np.ndarray) -> np.ndarray:
        """Log-odds of a response under coalitions: float64 [C].

        Args:
            kept: bool [C, N] which items the user bought.
        """
        held = self._mine
        of, at = np.nonzero(kept[:, np.searchsorted(self.items, self.lines.item[held])])
        row, sent = held[at], np.flatnonzero(self.contacts.user == self.user)
        names = pa.array([str(number) for number in range(len(kept))])
        columns = (self.lines.item, self.lines.day, self.lines.cents, self.lines.basket)
        lines = Lines(names, of, *(one[row] for one in columns))
        again, told = np.tile(sent, len(kept)), np.repeat(np.arange(len(kept)), len(sent))
        contacts = Contacts(
            self.contacts.campaign[again], told, self.contacts.day[again], self.contacts.responded[again]
        )
        features = responses.features(
            self.campaign, self.day, lines, contacts, self.texts, self.creative, others=self.others
        )
        kinds = np.full(len(kept), self.campaign.kind, dtype=object)
        return self.model.log_odds(features, kinds)

    @cached_property
    def _mine(self) -> np.ndarray:
        """Rows of the user's lines before the day."""
        return np.flatnonzero((self.lines.user == self.user) & (self.lines.day < self.day))
