"""What must stay together when records are parted: problems, and those that one dialogue is about.

    groups = Groups("problem")
    for record in records: groups.add(record)
    groups.deal((70, 10, 20), seed=0)
    part = groups.part(bond_of(record, "problem"))  # 0, 1 or 2

Of a split that is continued, the records are told with their part, and stay in it. A group that would reach into two of
its parts is a leak: the new records that tie it together have no part. Nothing depends on the order in which records are
told. Names and counts lie on disk; only a list of the groups' names is in memory.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from utta.core.errors import UttaError
from utta.core.store import Store
from utta.records.kinds import AnyRecord
from utta.records.review import Review

KEYS = ("problem", "dialogue_id")


class Bond(NamedTuple):
    """What a record must stay with: its problem, or what stands for it, and its dialogue; "" where none ties it."""

    name: str
    dialogue: str = ""

    @property
    def key(self) -> str:
        return json.dumps(self)


def bond_of(record: AnyRecord, by: str) -> Bond:
    """By "dialogue_id" the name is the dialogue's id alone, or the example itself where it is from none."""
    if by == "dialogue_id":
        return Bond(record.dialogue_id or record.id)
    return Bond(record.cluster, json.dumps([record.source, record.dialogue_id]) if record.dialogue_id else "")


@dataclass
class Group:
    """What is known of records that stay together: the part they stand in, None while they have none, and how many they
    and their labels are; `n` is 0 where only the split that is continued holds them."""

    part: int | None = None
    n: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        return json.dumps([self.part, self.n, self.labels])

    @classmethod
    def of(cls, text: str | None) -> "Group":
        part, n, labels = json.loads(text or "[null, 0, {}]")
        return cls(part, n, Counter(labels))

    def united(self, other: "Group") -> "Group":
        """Both as one; the last guard against a leak. Raises `UttaError` when they stand in two parts."""
        part = other.part if self.part is None else self.part
        if other.part not in (None, part):
            raise UttaError(
                "The split that is continued leaks: what belongs together stands in two of its parts; "
                "make it anew, without --keep."
            )
        return Group(part, self.n + other.n, self.labels + other.labels)


class Groups:
    """The groups of the records told so far, by "problem" or "dialogue_id"; `stratify` counts the labels of reviews."""

    def __init__(self, by: str, stratify: bool = False) -> None:
        self.by, self._stratify = by, stratify
        self._bonds = Store()  # all that was told, a bond with its group a line
        self._above = Store()  # of each name another one of its group, in the end the first, which stands for the group
        self._groups = Store()
        self._aside = Store()

    def add(self, record: AnyRecord) -> None:
        """Tell of a record that is to have a part."""
        levels = record.levels if self._stratify and isinstance(record, Review) else {}
        labels = Counter(f"{criterion}: {label}" for criterion, label in levels.items())
        self._tell(bond_of(record, self.by), Group(None, 1, labels))

    def keep(self, bond: Bond, part: int) -> None:
        """Tell of what stands in a part of the split that is continued."""
        self._tell(bond, Group(part))

    def part(self, bond: Bond) -> int | None:
        """The part of what was told of, once all is dealt; None where it would tie two parts together."""
        return None if self._aside.get(bond.key) is not None else self._group(bond.name).part

    def names(self) -> Iterator[tuple[str, int, int]]:
        """Each problem and dialogue that has a part: the problem's name, the part, how many records were told of."""
        for bond, group in self._told():
            if (part := self._group(bond.name).part) is not None:
                yield bond.name, part, group.n

    def deal(self, ratios: Sequence[float], seed: int) -> None:
        """Give each group that has none a part, in an order drawn from `seed`: the one that lacks the most records; when
        labels are counted, the one that lacks the most of the group's labels, each by its share of all labels of its kind.

        Where nothing was kept and no labels are counted, no part ends above its share by more than one group, because a part
        that lacks the most lacks something. The last groups go to the parts that have none. Raises `UttaError` when there
        are too few groups for that.
        """
        self._tie()
        kept, free, all_of_them = [Group() for _ in ratios], [], Group()
        for name, group in ((name, Group.of(text)) for name, text in self._groups.items()):
            all_of_them = all_of_them.united(Group(None, group.n, group.labels))
            if group.part is not None:
                kept[group.part] = kept[group.part].united(group)
            elif group.n:
                free.append(name)
        empty = [part for part, group in enumerate(kept) if not group.n]
        if len(free) < len(empty):
            raise UttaError(
                f"The records have {len(free)} distinct {self.by} values, and a split into {len(empty)} parts needs as many; "
                "add records, or set the field on each."
            )
        free.sort()
        random.Random(seed).shuffle(free)
        self._fill(free, all_of_them, kept, ratios)

    def _fill(self, free: Sequence[str], all_of_them: Group, kept: Sequence[Group], ratios: Sequence[float]) -> None:
        lack = [all_of_them.n * ratio / sum(ratios) - there.n for ratio, there in zip(ratios, kept, strict=True)]
        totals = all_of_them.labels
        wanted = [
            {label: n * ratio / sum(ratios) - there.labels[label] for label, n in totals.items()}
            for ratio, there in zip(ratios, kept, strict=True)
        ]

        def need(part: int, group: Group) -> float:
            if not group.labels:
                return lack[part]
            return sum(n * wanted[part][label] / totals[label] for label, n in group.labels.items())

        empty = [part for part, there in enumerate(kept) if not there.n]
        for dealt, name in enumerate(free):
            group = Group.of(self._groups.get(name))
            choice = empty if len(free) - dealt <= len(empty) else range(len(ratios))
            group.part = max(choice, key=lambda part: need(part, group))
            empty = [part for part in empty if part != group.part]
            lack[group.part] -= group.n
            for label, n in group.labels.items():
                wanted[group.part][label] -= n
            self._groups.replace(name, group.text())

    def _tell(self, bond: Bond, more: Group) -> None:
        if before := self._bonds.add(bond.key, more.text()):
            self._bonds.replace(bond.key, Group.of(before).united(more).text())

    def _told(self) -> Iterator[tuple[Bond, Group]]:
        """All that was told and is not put aside."""
        for key, group in self._bonds.items():
            if self._aside.get(key) is None:
                yield Bond(*json.loads(key)), Group.of(group)

    def _tie(self) -> None:
        """Tie names into groups, without the bonds that would tie two parts together."""
        several = self._join()
        if len(torn := self._torn()):
            for bond, group in self._told():
                if group.part is None and several.get(bond.dialogue) is not None and torn.get(self._first(bond.name)):
                    self._aside.add(bond.key)
            self._join()
        for bond, group in self._told():
            name = self._first(bond.name)
            if before := self._groups.add(name, group.text()):
                self._groups.replace(name, Group.of(before).united(group).text())

    def _join(self) -> Store:
        """Find what belongs together; returns the dialogues that are about several problems."""
        self._above, several, about = Store(), Store(), Store()
        for bond, _ in self._told():
            self._above.add(bond.name, bond.name)
            other = about.add(bond.dialogue, bond.name) if bond.dialogue else None
            if other not in (None, bond.name):
                several.add(bond.dialogue)
                first, second = sorted([self._first(str(other)), self._first(bond.name)])
                self._above.replace(second, first)
        return several

    def _torn(self) -> Store:
        """The groups that reach into two parts, by name."""
        torn, parts = Store(), Store()
        for bond, group in self._told():
            if group.part is not None:
                name = self._first(bond.name)
                if parts.add(name, str(group.part)) not in (None, str(group.part)):
                    torn.add(name, "torn")
        return torn

    def _first(self, name: str) -> str:
        """The name that stands for a name's group, the first in the alphabet."""
        top = name
        while (above := self._above.get(top) or top) != top:
            top = above
        if top != name:
            self._above.replace(name, top)  # the way is short the next time
        return top

    def _group(self, name: str) -> Group:
        return Group.of(self._groups.get(self._first(name)))
