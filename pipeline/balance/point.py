"""An operating point: what one night's balance is set to. Not here: which one is chosen (`operating_point`)."""

from dataclasses import dataclass

from pipeline.policy import Policy


@dataclass(frozen=True, order=True)
class Point:
    """One setting of the balance; hashable and totally ordered, so that equal measures have one winner.

    Attributes:
        calibration: weight of the user's own mix of categories in the re-rank, 0 to 1.
        distil: weight of last night's champion in an idle user's scores, 0 to 1.
        budget_idle: voluntary replacements a list of an idle user may see in a night.
        budget_active: the same of an active user.
        pinned_idle: first places of an idle user's list that stay.
    """

    calibration: float
    distil: float
    budget_idle: int
    budget_active: int
    pinned_idle: int

    @classmethod
    def start(cls, policy: Policy) -> "Point":
        """Where a shop without a measured point stands."""
        return cls(**policy.start.model_dump())

    @property
    def words(self) -> str:
        """In plain words."""
        return (
            f"own categories {self.calibration:g}, last champion {self.distil:g}, changes a night {self.budget_idle} "
            f"idle and {self.budget_active} active, first {self.pinned_idle} places pinned"
        )
