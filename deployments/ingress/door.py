"""Who may come in: the one place that looks at a request's host, page and key, before all else."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

from starlette.types import Scope

from deployments.audit import Refusals, acting
from deployments.config import AppConfig
from deployments.ingress.rights import ADMIN, ANY, MODEL_CONTROL, NOBODY_ASKED, RIGHTS, Scopes
from deployments.keyring import Caller, Keyring
from deployments.security import host_name, is_address, is_loopback
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
ELSEWHERE = (b"cross-site", b"same-site")  # of Sec-Fetch-Site: another page asks
AUTHORITY = re.compile(rb"(\[[0-9a-fA-F:.]{2,45}\]|[0-9A-Za-z_.-]{1,253})(:[0-9]{0,5})?")
NOBODY = nullcontext()  # who has no key, and needs none

Headers = dict[bytes, bytes]


class Door:
    """Lets a request in, or says why not.

    Args:
        config: says who may ask.
        keyring: knows the callers, and takes the figures.
        template: the path of the route that a request takes, as it was declared; None: none. What
            the router will run is what is asked about, so no spelling of a path gets around it.
    """

    def __init__(
        self, config: AppConfig, keyring: Keyring, template: Callable[[Scope], str | None]
    ) -> None:
        security, host = config.security, host_name(config.ingress.host)
        self._template = template
        self._keyring = keyring
        self._has_model_control = security.model_control == "admin"
        self._is_local = is_loopback(host) and not security.open and security.public_url is None
        self._names = security.names | {host}
        self._takes_addresses = not is_loopback(host)
        self._origins = {origin.encode() for origin in security.origins}
        if security.public_url is not None:
            self._origins.add(security.public_url.encode())
        self._knows_host = lru_cache(256)(self._is_known)
        self._refusals = Refusals()

    def enter(self, scope: Scope) -> AbstractContextManager[None]:
        """Let a request in, for the length of a context manager.

        Raises:
            Unauthorized: it needs a key, or another one.
            Forbidden: its host, its page or its key may not ask for this.
            RateLimited: its key asks for too much.
        """
        caller: Caller | None = None
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        route = method, self._template(scope) or ""
        try:
            headers = _headers(scope)
            scopes = RIGHTS.get(route, ANY)
            self._check_host(headers)
            if scopes == NOBODY_ASKED:
                return NOBODY
            self._check_page(headers)
            if route in MODEL_CONTROL and not self._has_model_control:
                raise ModelControlOff("security.model_control is off")
            if not self._keyring:
                if scopes is ADMIN:
                    self._check_local(headers)
                return NOBODY
            caller = self._keyring.caller(headers.get(b"authorization"))
            if not scopes & caller.scopes:
                raise _lacks(scopes)
            return caller.visit()
        except DragomanError as error:
            peer = scope.get("client") or ("unknown",)
            self._note(error, caller, method=route[0], path=route[1], peer=peer[0])
            raise

    def _check_host(self, headers: Headers) -> None:
        """A page whose name was made to mean this machine asks under that name."""
        host = headers.get(b"host")
        if host is not None and not self._knows_host(host):
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

    def _check_page(self, headers: Headers) -> None:
        """Another site's page may ask only where the configuration names that site."""
        origin = headers.get(b"origin")
        if origin is None:
            is_foreign = headers.get(b"sec-fetch-site") in ELSEWHERE
        else:
            is_foreign = origin not in self._origins and not _is_own(origin, headers)
        if is_foreign:
            message = "pages of other sites may not ask here; security.origins names those that may"
            raise OriginNotAllowed(message, param="origin")

    def _check_local(self, headers: Headers) -> None:
        """Without keys, only this machine itself is an operator."""
        name = _name(headers.get(b"host", b""))
        origin = headers.get(b"origin")
        is_own = origin is None or _is_own(origin, headers)
        if not (self._is_local and name is not None and is_loopback(name) and is_own):
            message = "without security.keys this is for callers on the server's own machine"
            raise KeyRequired(message)

    def _note(self, error: DragomanError, caller: Caller | None, **fields: str) -> None:
        """Count and note a refusal. The path is the route's: a caller's own may say anything."""
        name = "" if caller is None else caller.name
        refused = self._keyring.figures.refused
        refused[name, error.code] = refused.get((name, error.code), 0) + 1
        own = acting.set(name or None)
        self._refusals.note(error.code, **fields)
        acting.reset(own)


def _headers(scope: Scope) -> Headers:
    """Those that count here; raises InvalidRequest where one stands twice, and could be either."""
    found: Headers = {}
    for name, value in scope["headers"]:
        if name in READ:
            if name in found:
                text = name.decode()
                raise InvalidRequest(f"the header {text} must stand once", param=text)
            found[name] = value
    return found


def _name(authority: bytes) -> str | None:
    """The host of a header Host, without its port; None of what is no host."""
    found = AUTHORITY.fullmatch(authority)
    return host_name(found[1].decode()) if found else None


def _is_own(origin: bytes, headers: Headers) -> bool:
    """Whether it is a page of this server: its scheme aside, which a proxy may have changed."""
    scheme, _, authority = origin.partition(b"://")
    host = headers.get(b"host")
    return scheme in (b"http", b"https") and host is not None and authority == host.lower()


def _lacks(scopes: Scopes) -> InsufficientScope:
    return InsufficientScope(f"the key lacks the scope {' or '.join(sorted(scopes))}")
