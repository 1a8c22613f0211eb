"""Why a store of the desk's or of the alerts' cannot be used, for people: where it is, what is wrong, what to do."""

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError


def trouble(address: str, error: Exception, setting: str) -> str:
    """One line; `setting` is how the store is named. Says no password."""
    return f"the store {_shown(address)}cannot be used: {_why(error)}; see {setting}"


def _shown(address: str) -> str:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return ""
    sqlite = url.drivername.startswith("sqlite")
    return f"`{url.database if sqlite else url.render_as_string(hide_password=True)}` "


def _why(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{error.name or 'its driver'} is not installed; PostgreSQL needs `pip install 'psycopg[binary]'`"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, DBAPIError) and str(error.orig).strip():
        return str(error.orig).strip().splitlines()[0][:300]
    if isinstance(error, ArgumentError):
        return "that is no address; name a file, or postgresql://HOST/NAME"
    return type(error).__name__
