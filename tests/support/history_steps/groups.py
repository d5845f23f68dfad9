"""Steps of a history about groups."""

from uuid import uuid4

from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry, RosterKind
from domain.groups.trees import GroupCycle, MoveInProgress, TooDeep
from tests.support.history_steps.made import MadeAggregates

KINDS: list[RosterKind] = ["individual", "leader", "member"]


class GroupSteps(MadeAggregates):
    """What happens to groups, their rosters and the trees that they form."""

    async def _make_group(self) -> None:
        group = Group.create(uuid4(), self._one(self._organizations).id, f"Group {len(self._groups)}", tags=["new"])
        await self._store.save(group)
        self._groups.append(group)

    async def _rename(self) -> None:
        group = self._one(self._groups)
        group.rename(f"Renamed {self._random.random()}")
        await self._store.save(group)

    async def _tag(self) -> None:
        group = self._one(self._groups)
        group.change_tags([f"tag-{self._random.randrange(9)}"])
        await self._store.save(group)

    async def _entry(self) -> None:
        group = self._one(self._groups)
        kind = self._one(KINDS)
        if kind == "individual":
            fitting = [each.id for each in self._individuals if each.belongs_to(group.organization_id)]
        else:
            fitting = [each.id for each in self._users if group.organization_id in each.organizations]
        if not fitting or not group.active:
            return
        entry = RosterEntry.add(group.id, group.organization_id, kind, self._one(fitting))
        if known := self._entries.get(entry.id):
            entry = known
            entry.add_again()
        self._entries[entry.id] = entry
        await self._store.save(entry)

    async def _unseat(self) -> None:
        if self._entries:
            entry = self._one(list(self._entries.values()))
            entry.remove()
            await self._store.save(entry)

    async def _move(self) -> None:
        group = self._one(self._groups)
        parent = self._one([each for each in self._groups if each.organization_id == group.organization_id])
        if not (group.active and parent.active):
            return
        tree = self._trees[group.organization_id]
        try:
            tree.request_move(uuid4(), group.id, self._random.choice([parent.id, parent.id, None]), 0)
            if group.id in tree.moves and self._random.random() < 0.9:
                tree.finish_move(group.id)
        except (GroupCycle, TooDeep, MoveInProgress):
            return
        await self._store.save(tree)

    async def _deactivate(self) -> None:
        group = self._one(self._groups)
        tree = self._trees[group.organization_id]
        if not tree.children(group.id) and len(self._groups) > 5:
            tree.remove_node(group.id)
            group.deactivate()
            await self._store.save(group, tree)
            self._groups.remove(group)
