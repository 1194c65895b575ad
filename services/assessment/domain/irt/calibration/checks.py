"""What responses have to be before anything is estimated from them; everything refused is named."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.calibration.mstep import Priors
from services.assessment.domain.irt.calibration.refusals import (
    AnchorMismatch,
    AnsweredTwice,
    GroupsNotLinked,
    GroupTooSmall,
    ModelMismatch,
    NobodyAnswered,
    OneScoreOnly,
    UnusedCategory,
)
from services.assessment.domain.irt.models import DICHOTOMOUS, Floats, Model, Parameters
from services.assessment.domain.irt.packing import Bytes, Packed
from services.assessment.domain.irt.responses import Indices, Sparse

Flags = NDArray[np.bool_]


def check_models(
    names: Sequence[str], models: Sequence[Model], categories: Sequence[int], anchors: Mapping[int, Parameters]
) -> None:
    """Every model has the item's categories, every anchor is an item. Errors: ModelMismatch, AnchorMismatch."""
    if not len(names) == len(models) == len(categories):
        raise ModelMismatch(f"{len(names)} items, {len(models)} models and {len(categories)} numbers of categories")
    for item, anchor in anchors.items():
        if not 0 <= item < len(names):
            raise AnchorMismatch(f"an anchor is item {item}, but the items are 0 to {len(names) - 1}")
        if anchor.categories != categories[item]:
            raise AnchorMismatch(
                f"the anchor {names[item]!r} has {anchor.categories} scores, here it has {categories[item]}"
            )
    for name, model, count in zip(names, models, categories, strict=True):
        if count < 2:
            raise OneScoreOnly(f"the item {name!r} has a single score, which says nothing of ability")
        if model in DICHOTOMOUS and count > 2:
            raise ModelMismatch(f"the item {name!r} has {count} scores; the model {model} is for right and wrong")


def check_entries(responses: Sparse, names: Sequence[str]) -> None:
    """Nobody answered an item twice. Errors: AnsweredTwice."""
    student = np.repeat(np.arange(responses.students, dtype=np.int64), np.diff(responses.bounds))
    key = np.sort(student * responses.width + responses.items)
    twice = np.flatnonzero(np.diff(key) == 0)
    if len(twice):
        who, item = divmod(int(key[twice[0]]), responses.width)
        raise AnsweredTwice(f"student {who} has two responses to the item {names[item]!r}")


def totals(packed: Packed) -> Floats:
    """How many students got each score, (sum of categories,)."""
    layout = packed.layout
    made = np.zeros(int(layout.offsets[-1]))
    if not isinstance(packed, Bytes):
        return np.asarray(np.bincount(packed.rows, minlength=len(made)), dtype=np.float64)
    for place, (first, end) in enumerate(layout.groups):
        seen = np.bincount(packed.codes[:, place], minlength=layout.patterns[place]).astype(np.float64)
        value = np.arange(len(seen))
        for item in range(end - 1, first - 1, -1):
            value, digit = np.divmod(value, layout.radices[item])
            found = np.bincount(digit, seen, minlength=layout.radices[item])
            made[layout.offsets[item] : layout.offsets[item + 1]] = found[: layout.categories[item]]
    return made


def answered(packed: Packed) -> Flags:
    """Who answered anything, (students,)."""
    layout = packed.layout
    if not isinstance(packed, Bytes):
        return np.diff(packed.bounds) > 0
    if not layout.missing:
        return np.full(packed.students, len(layout.categories) > 0)
    made = np.zeros(packed.students, dtype=np.bool_)
    for place, most in enumerate(layout.patterns):
        made |= packed.codes[:, place] != most - 1
    return made


def check_scores(
    names: Sequence[str], categories: Sequence[int], found: Floats, anchors: Mapping[int, Parameters], priors: Priors
) -> None:
    """Every item that is to be estimated was seen, and every score of it given.

    Errors: NobodyAnswered, OneScoreOnly, UnusedCategory.
    """
    ends = np.concatenate([[0], np.cumsum(categories)])
    for item, name in enumerate(names):
        own = found[ends[item] : ends[item + 1]]
        if item in anchors:
            continue
        if not own.any():
            raise NobodyAnswered(f"nobody was presented the item {name!r}")
        used = np.flatnonzero(own)
        if len(used) == 1 and (len(own) > 2 or "b" not in priors):
            raise OneScoreOnly(
                f"everybody has the score {used[0]} on the item {name!r}: "
                "it has no finite parameters" + ("" if len(own) > 2 else " without a prior on b")
            )
        if 1 < len(used) < len(own):
            unused = int(np.flatnonzero(own == 0)[0])
            raise UnusedCategory(f"nobody has the score {unused} of the item {name!r}: its threshold is not finite")


def check_groups(
    labels: Sequence[str], group: Indices, packed: Packed, present: Flags, anchors: Mapping[int, Parameters]
) -> None:
    """Every group has two students with answers, and items (or anchors) that link it to the first.

    Errors: GroupTooSmall, GroupsNotLinked.
    """
    sizes = np.bincount(group[present], minlength=len(labels))
    for label, size in zip(labels, sizes, strict=True):
        if size < 2:
            raise GroupTooSmall(f"the group {label!r} has {size} students with answers, and needs two at least")
    if len(labels) == 1 and not anchors:
        return
    seen = np.stack([_items_seen(packed, np.flatnonzero(group == each)) for each in range(len(labels))])
    linked = seen[:, sorted(anchors)].any(axis=1) if anchors else np.arange(len(labels)) == 0
    while True:
        known = seen[linked].any(axis=0)
        further = linked | seen[:, known].any(axis=1)
        if (further == linked).all():
            break
        linked = further
    if not linked.all():
        alone = labels[int(np.flatnonzero(~linked)[0])]
        to = "an anchor" if anchors else f"the group {labels[0]!r}"
        raise GroupsNotLinked(f"no items link the group {alone!r} to {to}: their abilities cannot be compared")


def _items_seen(packed: Packed, students: Indices) -> Flags:
    """Which items any of these students was presented, (items,)."""
    layout = packed.layout
    if isinstance(packed, Bytes):
        own = totals(Bytes(layout, packed.codes[students]))
    else:
        inside = np.zeros(packed.students, dtype=np.bool_)
        inside[students] = True
        rows = packed.rows[np.repeat(inside, np.diff(packed.bounds))]
        own = np.bincount(rows, minlength=int(layout.offsets[-1])).astype(np.float64)
    return np.asarray(np.add.reduceat(own, layout.offsets[:-1]) > 0)
