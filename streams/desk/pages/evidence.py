"""What people may do about a client's evidence and taint: file, approve, ask for a retraction or a narrowing."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from gate.policy import REQUIRED_CHANNELS
from streams.border.complaints import IDENT_RULE
from streams.border.wire import IDENT
from streams.desk import files
from streams.desk.access.door import form_of
from streams.desk.access.roles import May, Person
from streams.desk.acts import ActRefused
from streams.desk.pages.view import Ref, View

LEFT = 3
"""Things that a form for narrowing has room for."""


def evidence_pages(view: View) -> APIRouter:
    """Its routes; all come from the page of the client."""
    router, desk = APIRouter(), view.desk
    door = desk.door

    async def begin(
        kind: str, client: str, data: Mapping[str, Any], person: Person, form: Mapping[str, str]
    ) -> Response:
        given = {name: value for name, value in data.items() if value not in ("", None, [])}
        await desk.acts.begin(kind, client, given, person, desk.clock(), view.once_of(form))
        desk.live.ring()
        return RedirectResponse(f"/clients/{view.path(client)}#acts", 303)

    @router.post("/clients/{client:path}/file")
    async def file(client: Ref, request: Request, person: Annotated[Person, Depends(door.needs(May.FILE))]) -> Response:
        """File evidence."""
        form = await form_of(request)
        names = ("supports", "request", "kind", "digest", "solicited_at", "solicited_by")
        data: dict[str, Any] = {"evidence": _ident(form, "evidence")} | {n: form.get(n, "").strip() for n in names}
        data["channels_searched"] = [c for c in REQUIRED_CHANNELS if form.get(f"channel-{c}")]
        return await begin("file", client, data, person, form)

    @router.post("/clients/{client:path}/approve")
    async def approve(
        client: Ref,
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.APPROVE, signs_on="/clients/{client}"))],
    ) -> Response:
        """Approve evidence that somebody else filed."""
        form = await form_of(request)
        evidence = _ident(form, "evidence")
        filed = await view.apart(files.filings, desk.engine, client, evidence)
        mine = await view.apart(desk.acts.filed, client, evidence, person)
        if mine or any(e["by"] == person.id for e in filed):
            raise ActRefused("you filed this yourself; another person must approve it, whichever browser you use")
        if not filed:
            raise ActRefused(f"no evidence `{evidence}` has been filed for this client")
        return await begin("approve", client, {"evidence": evidence}, person, form)

    @router.post("/clients/{client:path}/retract")
    async def retract(
        client: Ref,
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.PROPOSE, signs_on="/clients/{client}"))],
    ) -> Response:
        """Ask for evidence to be retracted; a second person signs."""
        form = await form_of(request)
        data = {"evidence": _ident(form, "evidence"), "reason": view.reason_of(form)}
        return await begin("retract", client, data, person, form)

    @router.post("/clients/{client:path}/narrow")
    async def narrow(
        client: Ref,
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.PROPOSE, signs_on="/clients/{client}"))],
    ) -> Response:
        """Ask for a taint to be narrowed to some things; a second person signs."""
        form = await form_of(request)
        things = [{n: form.get(f"{n}-{i}", "").strip() for n in ("service", "asset", "product")} for i in range(LEFT)]
        leaves = [{n: v for n, v in thing.items() if v} for thing in things if any(thing.values())]
        data = {"exposure": _ident(form, "exposure"), "reason": view.reason_of(form)}
        form_says_none = form.get("none") == "yes"
        if not leaves and not form_says_none:
            raise ActRefused("say what stays tainted, or tick that nothing does")
        return await begin("narrow", client, data | {"leaves": leaves or ()}, person, form)

    return router


def _ident(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "").strip()
    if not IDENT.fullmatch(value):
        raise ActRefused(f"`{name}` {IDENT_RULE}")
    return value
