"""What each surface draws from: views of one ranking of a user's candidates, so that surfaces agree.

Not here: what may not be shown (`coherence.eligible`) and how much may change (`surface`).
Shapes: B users of a block, N candidates, I items, G shelves (the categories by which lists are compared).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from pipeline.models import scoring


@dataclass(frozen=True)
class Ranked:
    """Candidates of users, best first.

    Attributes:
        items: int [B, N] places in the catalogue, -1 pads.
        scores: float [B, N], descending.
    """

    items: np.ndarray
    scores: np.ndarray

    def only(self, allowed: np.ndarray) -> "Ranked":
        """Those that are allowed (bool [B, N]), in the same order."""
        allowed = allowed & (self.items >= 0)
        order = np.argsort(~allowed, axis=1, kind="stable")
        items = np.where(np.take_along_axis(allowed, order, 1), np.take_along_axis(self.items, order, 1), -1)
        return Ranked(items, np.take_along_axis(self.scores, order, 1))

    def without(self, items: np.ndarray, barred: sp.csr_matrix) -> "Ranked":
        """Only what may be shown: `items` bool [I] for anybody, `barred` CSR [B, I] not for single users."""
        return self.only(items[self.items] & (at(barred, self.items) == 0))


@dataclass(frozen=True)
class Shopper:
    """What views ask of the users of a block.

    Attributes:
        liked: bool [B, G] the user's top shelves.
        pulled: CSR [B, I] what surely goes with the user's last basket.
        ads: bool [B] consent to personalised ads.
    """

    liked: np.ndarray
    pulled: sp.csr_matrix
    ads: np.ndarray


def views(base: Ranked, cart: Ranked, who: Shopper, shelf: np.ndarray) -> dict[str, Ranked]:
    """What each surface draws from, best first.

    Home and e-mail draw from the ranking as it is, a category page from the user's top shelves, a product page from
    what goes with the last basket, an ad from the ranking of who consents to ads; the cart has a ranking of its own.

    Args:
        base: the ranking of all that may be listed.
        cart: the ranking of what completes the open basket.
        who: of the same users.
        shelf: int [I] shelf of each item.
    """
    rows = np.arange(len(base.items))[:, None]
    return {
        "home": base,
        "category": base.only(who.liked[rows, shelf[base.items]]),
        "product": base.only(at(who.pulled, base.items) != 0),
        "cart": cart,
        "email": base,
        "ad": base.only(np.repeat(who.ads[:, None], base.items.shape[1], axis=1)),
    }


def top_shelves(shares: np.ndarray, count: int) -> np.ndarray:
    """Each user's shelves with the largest shares, ties by number: bool [B, G]."""
    order = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    chosen = np.zeros(shares.shape, bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen & (shares > 0)


def at(matrix: sp.csr_matrix, items: np.ndarray) -> np.ndarray:
    """Values of each row's items: [B, N]; of pads, those of item 0."""
    users = np.repeat(np.arange(len(items)), items.shape[1])
    return scoring.values(matrix, users, np.maximum(items, 0).ravel()).reshape(items.shape)
