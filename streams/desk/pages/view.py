"""How pages are made: Jinja2 with everything escaped, and the few ways in which values are shown."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, urlencode

import jinja2
import msgspec
from fastapi import Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from gate.facts import Instant
from gate.instants import moment
from streams.desk.access.roles import May
from streams.desk.access.sessions import Session
from streams.desk.acts import ActRefused
from streams.desk.desk import Desk
from streams.desk.drawing import told
from streams.desk.timeline import anchor
from streams.since import age

T = TypeVar("T")
Word = Annotated[str, Query(max_length=128)]
Place = Annotated[str | None, Query(max_length=600)]
"""Where the page of a list begins: behind the last row of the one before it."""
MARK: Final = "~"
"""Before a reference in an address, where it would not do alone; no reference has it."""


def _reference(client: Annotated[str, PathParameter(max_length=256)]) -> str:
    return client.removeprefix(MARK)


Ref = Annotated[str, Depends(_reference)]
"""A client's reference in an address, as `View.path` writes it."""
_HERE = Path(__file__).parents[1]


def time_of(at: Instant | str | None) -> Markup:
    """A time to the second that says it is UTC, as deadlines are read on paper too; a script adds the local one."""
    if at is None:
        return Markup('<span class="none">none</span>')
    text = at if isinstance(at, str) else moment(at).isoformat()
    shown = text[:19].replace("T", " ")
    return Markup('<time datetime="{}">{} UTC</time>').format(text[:19] + "Z", shown)


class View:
    """Makes the pages of one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        loader = jinja2.FileSystemLoader(_HERE / "templates")
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters |= {
            "time": time_of,
            "age": lambda at: age(at, desk.clock()),
            "path": lambda text: self.path(str(text)),
            "query": urlencode,
            "json": msgspec.json.decode,
            "pretty": lambda text: msgspec.json.format(text, indent=2),
            "told": told,
            "words": lambda text: str(text).replace("_", " "),
        }
        self._templates.globals |= {"May": May, "anchor": anchor}

    def page(
        self, request: Request, name: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """A page of a template."""
        session: Session | None = getattr(request.state, "session", None)
        shown: dict[str, Any] = {"person": session.person if session else None}
        shown |= {
            "csrf": session.csrf if session else "",
            "trouble": self.desk.trouble,
            "now": self.desk.clock(),
            "path_here": request.url.path,
            "seen": request.state.seen,
        }
        text = self._templates.get_template(name).render(shown | values)
        return HTMLResponse(text, status, dict(headers or {}))

    def missing(self, request: Request, what: str, id: str) -> HTMLResponse:
        """Nothing of that name is known."""
        said = f"There is no {what.partition(' ')[2]} `{id}` here."
        more = " If it is new, the desk may not have read that far yet."
        return self.page(request, "said.html", 404, title="Not found", said=said + more)

    async def apart(self, work: Callable[..., T], *given: Any) -> T:
        """Slow work, such as hashing a password, beside other requests."""
        return await asyncio.to_thread(work, *given)

    def path(self, text: str) -> str:
        """As a part of a path; `.` and `..`, which browsers would resolve however they are written, behind a `MARK`."""
        return MARK + text if text in (".", "..") else quote(text, safe="")

    def reason_of(self, form: Mapping[str, str]) -> str:
        """The reason that every decision of people needs."""
        reason = form.get("reason", "").strip()
        if not 3 <= len(reason) <= 1_000:
            raise ActRefused("give a reason, of 3 to 1,000 characters: it goes into the client's file")
        return reason

    def once_of(self, form: Mapping[str, str]) -> str:
        """The form's own token, which makes the same form sent twice one act."""
        once = form.get("once", "")
        if not (len(once) == 24 and once.isalnum() and once.isascii()):
            raise ActRefused("this form is incomplete; go back, load the page anew and try again")
        return once
