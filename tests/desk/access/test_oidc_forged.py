"""Nobody comes in on tokens, codes or states that are not his own and new."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hmac import digest
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from fastapi.responses import JSONResponse, RedirectResponse, Response
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from structlog.testing import capture_logs

from gate.policy import MINUTE
from streams.desk.access import provider as under_test
from streams.desk.access.oidc_settings import OidcSettings
from streams.desk.access.provider import ANSWER_LIMIT, Begun, NotBelieved, Token, verified
from tests.desk.access.conftest import Browser, Firm
from tests.desk.access.idp import CLIENT, KEY, SECRET, Claims, Idp

OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
PEM = KEY.as_pem(private=False)
Forge = Callable[[Idp, Claims], str]


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: Claims, claims: Claims) -> str:
    return f"{b64(header)}.{b64(claims)}."


def by_hmac(key: bytes) -> Forge:
    def forged(_: Idp, claims: Claims) -> str:
        signed = f"{b64({'alg': 'HS256', 'kid': 'one'})}.{b64(claims)}"
        return f"{signed}.{b64(digest(key, signed.encode(), 'sha256'))}"

    return forged


def saying(**changed: Any) -> Forge:
    """Well signed, and saying something else; None leaves it out."""

    def forged(idp: Idp, claims: Claims) -> str:
        said = claims | {n: v(claims) if callable(v) else v for n, v in changed.items()}
        return idp.signed({n: v for n, v in said.items() if v is not None})

    return forged


def swapped(idp: Idp, claims: Claims) -> str:
    head, _, sign = idp.signed(claims).split(".")
    return f"{head}.{b64(claims | {'sub': 'admin'})}.{sign}"


FORGED: dict[str, Forge] = {
    "alg none": lambda _, claims: unsigned({"alg": "none"}, claims),
    "alg none with a kid": lambda _, claims: unsigned({"alg": "none", "kid": "one"}, claims),
    "alg None in other letters": lambda _, claims: unsigned({"alg": "nOnE", "kid": "one"}, claims),
    "no alg": lambda _, claims: unsigned({"kid": "one"}, claims),
    "HMAC with the public key": by_hmac(PEM),
    "HMAC with the secret that the desk shares": by_hmac(SECRET.encode()),
    "HMAC with nothing": by_hmac(b""),
    "another key of the same name": lambda idp, claims: idp.signed(claims, OTHER),
    "a key of its own in the header": lambda idp, claims: idp.signed(claims, OTHER, jwk=OTHER.as_dict(private=False)),
    "an address of a key in the header": lambda idp, claims: idp.signed(claims, OTHER, jku="https://evil.example/jwks"),
    "an unknown key": lambda idp, claims: idp.signed(claims, OTHER, kid="two"),
    "something critical that we do not know": lambda idp, claims: (
        f"{b64({'alg': 'RS256', 'kid': 'one', 'crit': ['x'], 'x': 1})}.{b64(claims)}.{b64(b'x')}"
    ),
    "another payload under the signature": swapped,
    "a signature cut off": lambda idp, claims: idp.signed(claims)[:-8],
    "no signature": lambda idp, claims: idp.signed(claims).rpartition(".")[0] + ".",
    "expired": saying(exp=lambda c: c["iat"] - 60),
    "never expiring": saying(exp=None),
    "expiring in words": saying(exp="2030-01-01"),
    "expiring NaN": saying(exp=float("nan")),
    "of tomorrow": saying(iat=lambda c: c["iat"] + 86_400),
    "not yet good": saying(nbf=lambda c: c["iat"] + 61),
    "without a time": saying(iat=None),
    "for somebody else": saying(aud="shop"),
    "for somebody else, asked by us": saying(aud="shop", azp=CLIENT),
    "for nobody": saying(aud=None),
    "for an empty list": saying(aud=[]),
    "for several, with no word who asked": saying(aud=[CLIENT, "shop"]),
    "for several, asked by another": saying(aud=[CLIENT, "shop"], azp="shop"),
    "asked by another": saying(azp="shop"),
    "of another issuer": saying(iss="https://evil.example"),
    "of a list of issuers": saying(iss=lambda c: [c["iss"], "https://evil.example"]),
    "of an issuer with a slash more": saying(iss=lambda c: c["iss"] + "/"),
    "of no issuer": saying(iss=None),
    "with another nonce": saying(nonce="another"),
    "with no nonce": saying(nonce=None),
    "with an empty nonce": saying(nonce=""),
    "of nobody": saying(sub=None),
    "of an empty subject": saying(sub=""),
    "of a subject that is a number": saying(sub=10042),
    "of a subject with a line break": saying(sub="10042\n"),
    "of a very long subject": saying(sub="1" * 256),
    "with the hash of another access token": saying(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "with a time of sign-in in words": saying(auth_time="now"),
    "empty": lambda *_: "",
    "no token": lambda *_: "no token",
    "dots": lambda *_: "..",
    "a list under the signature": lambda idp, _: idp.signed([]),  # type: ignore[arg-type]
    "very long": lambda *_: "x." * 100_000,
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_lets_nobody_in(firm: Firm, name: str) -> None:
    """Refused with the reason, said to nobody's harm, and a good one works after it."""
    firm.idp.forge = lambda claims, _: FORGED[name](firm.idp, claims)
    rita = firm.browser()
    with capture_logs() as logs:
        answer = await rita.signs_in()
    assert answer.status_code in (403, 503) and not await rita.is_in()
    assert firm.desk.people.all() == [] and "__Host-gate61" not in rita.http.cookies
    assert [log["event"] for log in logs] in (["sign-in refused"], ["the sign-in provider cannot be used"])
    firm.idp.forge = None
    assert (await rita.signs_in()).status_code == 303


@pytest.mark.parametrize("name", ["of seconds before", "for a list of us", "for several, asked by us"])
async def test_what_looks_odd_and_is_right_lets_in(firm: Firm, name: str) -> None:
    """So that the forgeries above fail for what is wrong with them, and clocks may differ by a minute."""
    right = {
        "of seconds before": saying(exp=lambda c: c["iat"] - 59),
        "for a list of us": saying(aud=[CLIENT]),
        "for several, asked by us": saying(aud=[CLIENT, "shop"], azp=CLIENT),
    }
    firm.idp.forge = lambda claims, _: right[name](firm.idp, claims)
    assert (await firm.browser().signs_in()).status_code == 303


@pytest.mark.parametrize(
    "alg, key",
    [
        ("PS256", RSAKey.generate_key(2048, {"kid": "k"})),
        ("ES256", ECKey.generate_key("P-256", {"kid": "k"})),
    ],
)
async def test_other_kinds_of_keys(firm: Firm, alg: str, key: Key) -> None:
    """Beside ones that the desk cannot use, which it passes over."""
    odd = [{"kty": "AKP", "kid": "new"}, {"kty": "RSA", "kid": "torn"}, "no key", {}]
    firm.idp.published = [*odd, key.as_dict(private=False)]
    firm.idp.forge = lambda claims, _: firm.idp.signed(claims, key, alg=alg, kid="k")
    assert (await firm.browser().signs_in()).status_code == 303


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [KEY.as_dict(private=False) | {"use": "enc"}],
        [KEY.as_dict(private=False) | {"alg": "PS256"}],
        [OctKey.import_key(b"0" * 32).as_dict(private=True) | {"kid": "one"}],
    ],
)
async def test_keys_that_are_not_for_this_open_nothing(firm: Firm, keys: list[Any]) -> None:
    """None at all, for encryption, for another algorithm, or one that everybody can read."""
    firm.idp.published = keys
    assert (await firm.browser().signs_in()).status_code == 403
    for forge in (by_hmac(b"0" * 32), lambda idp, claims: idp.signed(claims, kid=None)):
        firm.idp.forge = lambda claims, _, forge=forge: forge(firm.idp, claims)
        assert (await firm.browser().signs_in()).status_code == 403


async def test_a_withdrawn_key_opens_nothing_from_then_on(firm: Firm) -> None:
    """And a new one opens at once."""
    assert (await firm.browser().signs_in()).status_code == 303
    firm.idp.keys = [RSAKey.generate_key(2048, {"kid": "two"})]
    firm.idp.forge = lambda claims, _: firm.idp.signed(claims, KEY)
    assert (await firm.browser().signs_in()).status_code == 403
    firm.idp.forge = lambda claims, key: firm.idp.signed(claims, key, kid="two")
    assert (await firm.browser().signs_in()).status_code == 303


async def refused(browser: Browser, way: str, status: int = 403) -> None:
    answer = await browser.http.get(way)
    assert answer.status_code == status and "begin anew" in answer.text and not await browser.is_in()


async def test_a_way_back_is_good_once(firm: Firm) -> None:
    """Also with the cookie that was; the provider is not even asked."""
    rita = firm.browser()
    way = await rita.leaves()
    cookie = rita.http.cookies["__Host-gate61-oidc"]
    assert (await rita.http.get(way)).status_code == 303
    again = firm.browser()
    again.http.cookies.set("__Host-gate61-oidc", cookie, "desk.firm.example")
    await refused(again, way)
    assert len(firm.idp.redeemed) == 1


async def test_a_way_back_is_the_browsers_that_began_it(firm: Firm) -> None:
    """Neither somebody else's link signs me in as him, nor does his try cost me mine."""
    mallory, rita = firm.browser(), firm.browser()
    his = await mallory.leaves()
    await refused(rita, his)
    mine = await rita.leaves()
    await refused(firm.browser(), mine)
    await refused(mallory, mine)
    assert (await rita.http.get(mine)).status_code == 303
    assert len(firm.idp.redeemed) == 1


@pytest.mark.parametrize("pkce", [True, False])
async def test_somebody_elses_code_in_my_way_back_is_refused(firm: Firm, pkce: bool) -> None:
    """By the provider for its proof; where that looks at none, by the nonce."""
    firm.idp.pkce = pkce
    mallory, rita = firm.browser(), firm.browser()
    his, mine = [parse_qs(urlsplit(await b.leaves()).query) for b in (mallory, rita)]
    await refused(rita, f"/oidc/back?code={his['code'][0]}&state={mine['state'][0]}")
    assert len(firm.idp.redeemed) == 1 and firm.desk.people.all() == []


async def test_a_way_back_is_good_for_ten_minutes(firm: Firm) -> None:
    """And not at the tenth."""
    rita = firm.browser()
    way = await rita.leaves()
    firm.clock.now += 10 * MINUTE
    await refused(rita, way)
    way = await rita.leaves()
    firm.clock.now += 10 * MINUTE - 1
    assert (await rita.http.get(way)).status_code == 303


@pytest.mark.parametrize("state", ["", "x", "ä", "%00", "x" * 5_000])
async def test_states_that_nobody_gave(firm: Firm, state: str) -> None:
    """Refused, however they look."""
    rita = firm.browser()
    await rita.leaves()
    answer = await rita.http.get(f"/oidc/back?code=c&state={state}")
    assert answer.status_code in (403, 422) and firm.idp.redeemed == []


async def test_the_provider_says_no(firm: Firm) -> None:
    """What it says is shown to nobody; the state is used up; without one of ours it means nothing."""
    rita = firm.browser()
    state = parse_qs(urlsplit(await rita.leaves()).query)["state"][0]
    no = f"/oidc/back?error=access_denied&error_description=<script>&state={state}"
    with capture_logs() as logs:
        answer = await rita.http.get(no)
    assert answer.status_code == 400 and "has let nobody through" in answer.text and "<script>" not in answer.text
    assert logs[0]["cause"] == "access_denied" and logs[0]["begun_here"] is True
    assert "let nobody through" not in (await rita.http.get(no)).text
    assert (await firm.browser().http.get("/oidc/back")).status_code == 400


async def test_an_answer_that_names_another_issuer_is_refused(firm: Firm) -> None:
    """RFC 9207: also where it should name one and does not."""
    rita = firm.browser()
    await refused(rita, await rita.leaves() + "&iss=https://evil.example")
    assert firm.idp.redeemed == []
    assert (await rita.http.get(f"{await rita.leaves()}&iss={firm.idp.issuer}")).status_code == 303
    firm.clock.now += 10 * MINUTE
    firm.idp.changed = {"authorization_response_iss_parameter_supported": True}
    mallory = firm.browser()
    await refused(mallory, await mallory.leaves())


AWAY: dict[str, tuple[str, Response]] = {
    "keys fail": ("/jwks", Response(status_code=500)),
    "keys are a page": ("/jwks", Response("<html>", media_type="text/html")),
    "keys are no list": ("/jwks", JSONResponse({"keys": 1})),
    "keys are elsewhere": ("/jwks", RedirectResponse("https://evil.example/jwks")),
    "keys never end": ("/jwks", JSONResponse({"keys": [KEY.as_dict(private=False)], "more": "x" * ANSWER_LIMIT})),
    "tokens fail": ("/token", Response(status_code=500)),
    "tokens are a page": ("/token", Response("<html>", media_type="text/html")),
    "tokens are elsewhere": ("/token", RedirectResponse("https://evil.example/token", 307)),
    "tokens never end": ("/token", Response(b'{"access_token":"' + b"x" * ANSWER_LIMIT)),
    "no ID token": ("/token", JSONResponse({"access_token": "x", "token_type": "Bearer"})),
    "an ID token that is none": ("/token", JSONResponse({"access_token": "x", "id_token": {"sub": "x"}})),
    "a time that is none": ("/token", JSONResponse({"access_token": "x", "id_token": "x", "expires_in": "soon"})),
    "the desk is unknown": ("/token", JSONResponse({"error": "invalid_client"}, 401)),
}


@pytest.mark.parametrize("name", AWAY)
async def test_a_provider_in_trouble_lets_nobody_in_and_is_said(firm: Firm, name: str) -> None:
    """The person is told to try again, whoever runs the desk what to look at; it mends by itself."""
    firm.idp.broken = dict([AWAY[name]])
    rita = firm.browser()
    with capture_logs() as logs:
        answer = await rita.signs_in()
    assert answer.status_code == 503 and "cannot be asked now" in answer.text and not await rita.is_in()
    assert [log["event"] for log in logs] == ["the sign-in provider cannot be used"]
    firm.idp.broken = {}
    assert (await rita.signs_in()).status_code == 303


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "https://user@evil.example/jwks"},
        {"jwks_uri": None},
    ],
)
async def test_a_provider_that_says_odd_things_of_itself_is_not_used(firm: Firm, changed: Claims) -> None:
    """Nobody is sent anywhere."""
    firm.idp.changed = changed
    answer = await firm.browser().http.get("/oidc/sign-in")
    assert answer.status_code == 503 and "location" not in answer.headers
    firm.idp.changed = {}
    assert (await firm.browser().http.get("/oidc/sign-in")).status_code == 303


async def test_a_provider_that_dawdles_is_not_waited_for(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on all of its answers together."""
    monkeypatch.setattr(under_test, "SECONDS", 0.0)
    answer = await firm.browser().http.get("/oidc/sign-in")
    assert answer.status_code == 503


async def test_the_secret_may_be_posted_where_the_provider_wants_it_so(firm: Firm) -> None:
    """Else it stands in the header."""
    await firm.browser().signs_in()
    assert "client_secret" not in firm.idp.redeemed[0]
    firm.clock.now += 10 * MINUTE
    firm.idp.changed = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await firm.browser().signs_in()).status_code == 303
    assert firm.idp.redeemed[1]["client_secret"] == SECRET


SETTINGS = OidcSettings("https://login.example", CLIENT, SECRET, "https://desk.example")
parts = st.binary(max_size=40).map(b64) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["alg", "kid", "exp", "sub"]), inner),
    max_leaves=6,
).map(b64)


@given(st.lists(parts, max_size=5).map(".".join) | st.text(max_size=60), st.lists(st.just(KEY.as_dict(private=False))))
def test_no_text_is_a_token(text: str, keys: list[Any]) -> None:
    """Whatever it is, it is not believed; nothing else comes of it."""
    with pytest.raises(NotBelieved):
        verified(SETTINGS, Token(text, "x"), keys, Begun("s", "n", "v"), 0)


claims = st.dictionaries(
    st.sampled_from(["iss", "aud", "sub", "exp", "iat", "nbf", "azp", "nonce", "at_hash", "auth_time", "amr"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
)


@given(claims)
def test_no_odd_claims_are_believed(odd: Claims) -> None:
    """Signed well or not: a nonce of ours is in none of them."""
    signed = f"{b64({'alg': 'RS256', 'kid': 'one'})}.{b64(odd)}"
    assert KEY.private_key
    sign = KEY.private_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    token = Token(f"{signed}.{b64(sign)}", "x")
    with pytest.raises(NotBelieved):
        verified(SETTINGS, token, [KEY.as_dict(private=False)], Begun("s", "nonce of ours", "v"), 0)
