"""Who may come in: the one place that checks a request's host, page and key, before all else."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

from deployments.config.schema import AppConfig
from deployments.config.security import host_name, is_address, is_loopback
from deployments.security.audit import Refusals
from deployments.security.key_limits import Caller
from deployments.security.keys import KnownKeys
from deployments.security.scopes import ADMIN, ANY, MODEL_CONTROL, NOBODY_ASKED, RIGHTS, Scopes
from deployments.security.tokens import OPENS, Tokens, is_token
from models.errors import (
    DragomanError,
    HostNotAllowed,
    InsufficientScope,
    InvalidRequest,
    KeyRequired,
    ModelControlOff,
    OriginNotAllowed,
)

READ = frozenset({b"host", b"origin", b"authorization", b"sec-fetch-site"})  # headers
LIVE = "/v1/realtime"  # the begin of the paths that tokens open
TOKEN = "dragoman.token"  # in the scope of who came with one
# Of the subprotocols that a browser offers, as it cannot send a header; and what is answered.
KEY_PROTOCOL, PROTOCOL = "openai-insecure-api-key.", "realtime"
ELSEWHERE = (b"cross-site", b"same-site")  # of Sec-Fetch-Site: another page asks
AUTHORITY = re.compile(rb"(\[[0-9a-fA-F:.]{2,45}\]|[0-9A-Za-z_.-]{1,253})(:[0-9]{0,5})?")
NOBODY = nullcontext()  # who has no key, and needs none

Template = Callable[[str, str, str], str | None]  # of a method, a path and its root
KNOWN, MAX_KNOWN_CHARS = 1024, 256  # requests that are remembered, with paths of what length


class Asked(NamedTuple):
    """The parts of a request that decide, beside its key, whether it is let in."""

    method: str
    path: str
    root_path: str
    host: bytes | None
    origin: bytes | None
    is_elsewhere: bool  # a browser says that a page of another site asks


class Door:
    """Let a request in, or say why not.

    Args:
        config: says who may ask.
        known_keys: knows the callers, and takes the figures.
        template: the path of the route that a request takes, as it was declared; None: none. What
            the router will run is what is asked about, so no spelling of a path gets around it.
        tokens: reads client secrets and tokens to listen.
    """

    def __init__(
        self, config: AppConfig, known_keys: KnownKeys, template: Template, tokens: Tokens
    ) -> None:
        security, host = config.security, host_name(config.ingress.host)
        self._template = template
        self._known_keys = known_keys
        self._tokens = tokens
        self._has_model_control = security.model_control == "admin"
        self._is_local = is_loopback(host) and not security.open and security.public_url is None
        self._names = security.names | {host}
        self._takes_addresses = not is_loopback(host)
        self._origins = {origin.encode() for origin in security.origins}
        if security.public_url is not None:
            self._origins.add(security.public_url.encode())
        self._remembered = lru_cache(KNOWN)(self._scopes)  # of what is let in alone
        self._refusals = Refusals()

    def enter(self, scope: Scope) -> AbstractContextManager[None]:
        """Let a request in, for the length of a context manager.

        Raises:
            Unauthorized: it needs a key, or another one.
            Forbidden: its host, its page or its key may not ask for this.
            RateLimited: its key asks for too much.
        """
        return self.visits(scope, self.caller(scope))

    def caller(self, scope: Scope) -> Caller | None:
        """Return the key of a request that may come in; None: it needs none.

        Raises:
            Unauthorized: it needs a key, or another one.
            Forbidden: its host, its page or its key may not ask for this.
        """
        caller: Caller | None = None
        try:
            asked, authorization = _asked(scope)
            is_short = len(asked.path) <= MAX_KNOWN_CHARS
            scopes = self._remembered(asked) if is_short else self._scopes(asked)
            if asked.path.startswith(LIVE):
                authorization = authorization or _in_subprotocol(scope)
                if is_token(credential := _bearer(authorization)):
                    caller = self._by_token(credential, asked, scope)
                    if caller is None:
                        return None
            if not scopes:
                return None
            caller = caller or self._known_keys.caller(authorization)
            if not scopes & caller.scopes:
                raise _lacks(scopes)
        except DragomanError as error:
            self._note(error, scope, caller)
            raise
        return caller

    def visits(self, scope: Scope, caller: Caller | None) -> AbstractContextManager[None]:
        """Count a request of a key that was let in. Raises RateLimited: it asks for too much."""
        if caller is None:
            return NOBODY
        try:
            return caller.visit()
        except DragomanError as error:
            self._note(error, scope, caller)
            raise

    def _by_token(self, credential: bytes, asked: Asked, scope: Scope) -> Caller | None:
        """Return who made a token, for the routes that it opens; None: there are no keys."""
        token, caller = self._tokens.read(credential)
        if self._route(asked.method, asked.path, asked.root_path) not in OPENS[token.kind]:
            raise InsufficientScope("the token does not open this path", param="authorization")
        scope[TOKEN] = token
        return caller

    def _scopes(self, asked: Asked) -> Scopes:
        """Return which scopes open it; none where no key is needed. Raises Forbidden."""
        route = self._route(asked.method, asked.path, asked.root_path)
        scopes = RIGHTS.get(route, ANY)
        self._check_host(asked)
        if scopes == NOBODY_ASKED:
            return NOBODY_ASKED
        self._check_page(asked)
        if route in MODEL_CONTROL and not self._has_model_control:
            raise ModelControlOff("security.model_control is off")
        if self._known_keys:
            return scopes
        if scopes == ADMIN:
            self._check_local(asked)
        return NOBODY_ASKED

    def _route(self, method: str, path: str, root_path: str) -> tuple[str, str]:
        named = "GET" if method == "HEAD" else method
        return named, self._template(method, path, root_path) or ""

    def _check_host(self, asked: Asked) -> None:
        """Refuse a name that is not this server's: a foreign page may have made it point here."""
        if asked.host is not None and not self._is_known(asked.host):
            message = (
                "the header Host is none of this server's names; security.hosts and "
                "security.public_url name more"
            )
            raise HostNotAllowed(message, param="host")

    def _is_known(self, authority: bytes) -> bool:
        name = _name(authority)
        return name is not None and (
            is_loopback(name) or name in self._names or (self._takes_addresses and is_address(name))
        )

    def _check_page(self, asked: Asked) -> None:
        """Refuse pages of other sites, unless the configuration names the site."""
        is_foreign = asked.is_elsewhere
        if asked.origin is not None:
            is_foreign = asked.origin not in self._origins and not _is_own(asked)
        if is_foreign:
            message = "pages of other sites may not ask here; security.origins names those that may"
            raise OriginNotAllowed(message, param="origin")

    def _check_local(self, asked: Asked) -> None:
        """Refuse callers from other machines where there are no keys."""
        name = _name(asked.host or b"")
        is_own = asked.origin is None or _is_own(asked)
        if not (self._is_local and name is not None and is_loopback(name) and is_own):
            message = "without security.keys this is for callers on the server's own machine"
            raise KeyRequired(message)

    def _note(self, error: DragomanError, scope: Scope, caller: Caller | None) -> None:
        """Count and note a refusal, by its route: a caller's own path may say anything."""
        name = "" if caller is None else caller.name
        refused = self._known_keys.figures.refused
        refused[name, error.code] = refused.get((name, error.code), 0) + 1
        method, path = self._route(scope["method"], scope["path"], scope.get("root_path", ""))
        peer = scope.get("client") or ("unknown",)
        of_key = {"key": name} if name else {}
        self._refusals.note(error.code, **of_key, method=method, path=path, peer=peer[0])


def _asked(scope: Scope) -> tuple[Asked, bytes | None]:
    """Return what decides, and the header that holds a key.

    Raises InvalidRequest where a header stands twice, and could be either.
    """
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in READ:
            if name in found:
                text = name.decode()
                raise InvalidRequest(f"the header {text} must stand once", param=text)
            found[name] = value
    get = found.get
    is_elsewhere = get(b"sec-fetch-site") in ELSEWHERE
    root_path = scope.get("root_path", "")
    asked = Asked(
        scope["method"], scope["path"], root_path, get(b"host"), get(b"origin"), is_elsewhere
    )
    return asked, get(b"authorization")


def _in_subprotocol(scope: Scope) -> bytes | None:
    """Return the key among the subprotocols of a WebSocket, as its header would have it."""
    offered: list[str] = scope.get("subprotocols", [])
    for protocol in offered:
        if protocol.startswith(KEY_PROTOCOL):
            return b"Bearer " + protocol.removeprefix(KEY_PROTOCOL).encode("latin-1", "replace")
    return None


def _bearer(authorization: bytes | None) -> bytes:
    scheme, _, sent = (authorization or b"").partition(b" ")
    return sent.strip(b" ") if scheme.lower() == b"bearer" else b""


def _name(authority: bytes) -> str | None:
    """Return the host of a header Host, without its port; None where it is no host."""
    found = AUTHORITY.fullmatch(authority)
    return host_name(found[1].decode()) if found else None


def _is_own(asked: Asked) -> bool:
    """Return whether a page of this server asks. A proxy may have changed the scheme."""
    scheme, _, authority = (asked.origin or b"").partition(b"://")
    host = asked.host
    return scheme in (b"http", b"https") and host is not None and authority == host.lower()


def _lacks(scopes: Scopes) -> InsufficientScope:
    return InsufficientScope(f"the key lacks the scope {' or '.join(sorted(scopes))}")
