"""The names under which it is noted beside the clients of a partition how far it has come, and by what.

A worker writes them, and whoever only looks (`doctor`, `rebuild`, `ask`) reads them. They are stored: under another name
nothing of what was noted before is found.
"""

from typing import Final

BETWEEN: Final = "between"
"""The next offset to read of messages between merged clients."""
REGISTER: Final = "register"
"""The next offset to read of the register."""
POLICY: Final = "policy"
"""The next offset to read of policies."""
ANSWERS: Final = "answers"
"""The next offset of the answers that were published."""
LOOKED: Final = "looked"
"""The offset up to which what happens around clients was looked at."""
GREETED: Final = "greeted"
"""When the last applied message between merged clients was appended, in microseconds, as all times here."""
ACTED: Final = "acted"
"""When the last applied record around clients was appended."""
TOLD: Final = "told"
"""When the last applied record of the register was appended."""
GOVERNED: Final = "governed"
"""When the last applied policy was appended."""
IN: Final = "-in"
"""Put behind one of these four names: the offset after that record, and the epoch of the leader that appended it."""
OF_RULES: Final = (POLICY, f"{GOVERNED}{IN}", GOVERNED, REGISTER, f"{TOLD}{IN}", TOLD)
"""All that says by what of the register and of policies state was made."""
KAFKA: Final = "kafka"
"""The id of the Kafka cluster that the logs are of."""
RECORDED: Final = "recorded"
"""When the last applied record of any log was recorded."""
BORN: Final = "born"
"""When the first record of any log was recorded."""
CLOSED: Final = "closed"
"""Up to when scopes are closed."""
FORMER_LIMITS: Final = "limits"
"""Hard limits that were in force before."""
PARTITIONS: Final = "partitions"
"""Over how many partitions clients were spread."""
WALK: Final = "walk"
"""The offset of the register's record (of an embedded gate: its number) behind which clients are still to be judged again;
-1 for none."""
LEARNT: Final = "learnt"
"""How far the logs were applied when the register changed last."""
PARTS: Final = "parts "
"""Before the digest of a message between merged clients that comes in parts: which came, one byte each, or no bytes once it
is judged. Behind that the number of a part: its bytes, until then."""
WEEK_OF_IDS: Final = "week"
"""The week since 1970 by which ids are kept now."""
