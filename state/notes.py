"""The names under which it is noted beside the clients of a partition how far it has come, and by what.

A worker writes them, and whoever only looks (`doctor`, `rebuild`, `ask`) reads them. They are stored: under another name
nothing of what was noted before is found.
"""

from typing import Final

BETWEEN: Final = "between"
"""The next offset of messages between merged clients,"""
REGISTER: Final = "register"
"""of the register,"""
POLICY: Final = "policy"
"""of policies,"""
ANSWERS: Final = "answers"
"""and of the answers that were published."""
LOOKED: Final = "looked"
"""The offset up to which what happens around clients was looked at."""
GREETED: Final = "greeted"
"""When what was applied last of messages between merged clients was appended, in microseconds, as all times here;"""
ACTED: Final = "acted"
"""the same of what happens around clients."""
RECORDED: Final = "recorded"
"""When what was applied last, of any log, was recorded;"""
BORN: Final = "born"
"""the same of what came first."""
CLOSED: Final = "closed"
"""Up to when scopes are closed."""
FORMER_LIMITS: Final = "limits"
"""Hard limits that were in force before."""
PARTITIONS: Final = "partitions"
"""Over how many partitions clients were spread."""
WALK: Final = "walk"
"""The offset of the register's record behind which clients are still to be reopened; -1 for none."""
LEARNT: Final = "learnt"
"""How far the logs were applied when the register changed last."""
WEEK_OF_IDS: Final = "week"
"""The week since 1970 by which ids are kept now."""
