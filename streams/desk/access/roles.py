"""Roles and what each may do: the whole table on one screen."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a person is; he may be several."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class May(StrEnum):
    """What a route asks for."""

    SEE_QUEUE = "see the queue"
    SEE_CLIENT = "see a client's file"
    SEE_READS = "see who read what"
    ASSIGN = "take an item on"
    FILE = "file evidence"
    APPROVE = "approve evidence"
    PROPOSE = "ask for what two must sign"
    SIGN = "sign as the second"
    REFUSE = "refuse a held offer"
    CLOSE = "close a case"
    MANAGE = "manage people"


_SEES = frozenset((May.SEE_QUEUE, May.SEE_CLIENT))
_WORKS = frozenset((May.ASSIGN, May.FILE, May.PROPOSE, May.REFUSE, May.CLOSE))
GRANTS: dict[Role, frozenset[May]] = {
    Role.VIEWER: _SEES,
    Role.REVIEWER: _SEES | _WORKS,
    Role.APPROVER: _SEES | _WORKS | {May.APPROVE, May.SIGN},
    Role.AUDITOR: _SEES | {May.SEE_READS},
    Role.ADMIN: frozenset((May.MANAGE,)),
}
"""Who manages people neither reads clients' files nor signs, unless he is something else as well."""


def in_words(roles: frozenset[Role]) -> str:
    """As a store keeps them, always in one order."""
    return " ".join(sorted(roles))


def in_roles(words: str) -> frozenset[Role]:
    """From what a store keeps; a word that is no role grants nothing."""
    return frozenset(Role(word) for word in words.split() if word in list(Role))


class Person(Struct, frozen=True):
    """Somebody who is signed in. Two browsers are one person: what counts is `id`, the staff id that events name."""

    id: str
    name: str
    roles: frozenset[Role]

    def may(self, what: May) -> bool:
        """Whether one of his roles grants it."""
        return any(what in GRANTS[role] for role in self.roles)
