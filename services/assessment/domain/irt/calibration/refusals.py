"""What cannot be calibrated, each with the words that name it."""


class NotCalibratable(ValueError):
    """These responses do not determine the parameters that were asked for."""


class NobodyAnswered(NotCalibratable):
    """An item that nobody was presented, or responses without a single answer."""


class OneScoreOnly(NotCalibratable):
    """Everybody has the same score on an item: its parameters have no finite estimate without a prior on b."""


class UnusedCategory(NotCalibratable):
    """A score that an item is said to have and that nobody got: its threshold has no finite estimate."""


class ModelMismatch(NotCalibratable):
    """A model for right and wrong answers was asked for an item with more scores."""


class AnchorMismatch(NotCalibratable):
    """An anchor that is none of the items, or has other scores than the item."""


class GroupsNotLinked(NotCalibratable):
    """Groups that share no items, so that their means cannot be compared."""


class GroupTooSmall(NotCalibratable):
    """A group in which fewer than two students answered anything."""


class NoSpread(NotCalibratable):
    """The responses show no differences in ability: the standard deviation goes to zero."""


class AnsweredTwice(NotCalibratable):
    """A student has two responses to one item."""
