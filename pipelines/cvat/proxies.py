"""The proxy by which an address is reached, if the environment names one, as curl and DVC do it."""

import base64
import ssl
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from pipelines.errors import PipelineError


def connect(
    scheme: str, host: str, port: int | None, timeout: float, tls: ssl.SSLContext | None
) -> HTTPConnection:
    """Return a connection that is not open yet: straight, or through a tunnel of HTTPS_PROXY.

    The proxy sees the host's name and bytes that it cannot read. Of plain http, which goes to this
    machine alone, none is asked.
    """
    if scheme == "http":
        return HTTPConnection(host, port, timeout=timeout)
    proxy = _find_proxy(host, port)
    if proxy is None:
        return HTTPSConnection(host, port, timeout=timeout, context=tls)
    connection = HTTPSConnection(
        proxy.hostname or "", proxy.port or 80, timeout=timeout, context=tls
    )
    connection.set_tunnel(host, port or 443, headers=_authorize(proxy))
    return connection


def _find_proxy(host: str, port: int | None) -> SplitResult | None:
    """Return the proxy's address; None if HTTPS_PROXY is not set, or NO_PROXY names the host."""
    named = getproxies_environment().get("https", "")
    if not named or proxy_bypass(f"{host}:{port}" if port else host):
        return None
    try:
        proxy = urlsplit(named if "://" in named else f"http://{named}")
        known = proxy.scheme == "http" and proxy.hostname and proxy.port != 0
    except ValueError:
        known = False
    if not known:
        text = "is no address of a proxy such as http://proxy.example.org:3128; correct it"
        raise PipelineError(f"HTTPS_PROXY: {text}")
    return proxy


def _authorize(proxy: SplitResult) -> dict[str, str]:
    """Return the header by which one logs in at the proxy, if its address has a user."""
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}
