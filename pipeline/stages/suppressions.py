"""Who rests from a campaign although they agreed to ads, and what no campaign may be about."""

import numpy as np

from pipeline.features.responses import Campaign
from pipeline.stages.response_inputs import ResponseInputs

NARROW = 10  # goods up to which a campaign is about things one may just have bought
SEPARATOR = " > "


def room(inputs: ResponseInputs) -> np.ndarray | None:
    """Sends that each user may still get under the shop's cap: int [U]; None where it has none."""
    settings, today, contacts = inputs.night.shop.audiences, inputs.today, inputs.contacts
    if settings.contact_cap is None:
        return None
    recent = ~contacts.responded & (contacts.day > today - settings.contact_days) & (contacts.day <= today)
    sent = np.bincount(contacts.user[recent], minlength=len(inputs.lines.users))
    return np.maximum(settings.contact_cap - sent, 0)


def resting(inputs: ResponseInputs, campaign: Campaign) -> np.ndarray:
    """Who was contacted as often as the cap allows, or has just bought what the campaign is about: bool [U]."""
    settings, today = inputs.night.shop.audiences, inputs.today
    users, left = len(inputs.lines.users), room(inputs)
    rests = np.zeros(users, bool) if left is None else left == 0
    targets = campaign.targets[campaign.targets >= 0]
    if settings.just_bought_days and 0 < len(targets) <= NARROW:
        lines = inputs.lines
        fresh = (lines.day > today - settings.just_bought_days) & (lines.day <= today) & np.isin(lines.item, targets)
        bought = np.unique(np.stack([lines.user[fresh], lines.item[fresh]]), axis=1)
        rests |= np.bincount(bought[0], minlength=users) >= len(targets)
    return rests


def sensitive(inputs: ResponseInputs, campaign: Campaign) -> str | None:
    """The sensitive category that a campaign is about; None when it is about none."""
    barred = {name.lower() for name in inputs.night.shop.audiences.sensitive}
    if not barred:
        return None
    space, catalogue = inputs.ranking.space, inputs.ranking.catalogue
    place = space.index(catalogue.column("item_id"))
    mine = np.isin(place, campaign.targets[campaign.targets >= 0])
    found = {
        (path or "").split(SEPARATOR)[0]
        for path, aimed in zip(catalogue.column("category").to_pylist(), mine, strict=True)
        if aimed
    }
    return min((name for name in found if name.lower() in barred), default=None)
