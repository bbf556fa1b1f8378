"""Hear CVAT's webhooks, and ask GitLab or GitHub to publish when a job or task has got on.

CVAT posts to `/`. A delivery that is signed with the secret is answered by 204 at once. If it says
that the state, stage or status of a job or task changed, the forge is asked, at most once a minute:
always by the same call, into which nothing of the delivery goes. GET /health answers 204.

settings, all of them environment variables:
  CVAT_WEBHOOK_SECRET    the secret of CVAT's webhook
  CVAT_WHEN              accepted (default), completed, or saved: every change of a job or task
                         leads to a call; the same word as in the registry's params.yaml
  LISTEN                 HOST:PORT (0.0.0.0:8080)
  SECONDS_BETWEEN_CALLS  how often the forge is asked at most (60)
for GitLab, a trigger token:
  GITLAB_URL             https://HOST
  GITLAB_PROJECT         its number, or GROUP/PROJECT
  GITLAB_REF             the default branch
  GITLAB_TRIGGER_TOKEN
or for GitHub, a fine-grained token with Actions: read and write of that repository alone:
  GITHUB_REPOSITORY      OWNER/REPOSITORY
  GITHUB_REF             the default branch
  GITHUB_TOKEN
  GITHUB_WORKFLOW        the workflow to run (publish.yml)
  GITHUB_API_URL         (https://api.github.com)
In place of CVAT_WEBHOOK_SECRET and the tokens, <NAME>_FILE names a file that holds it. https_proxy,
no_proxy and SSL_CERT_FILE (certificates to trust) are honoured.

exit codes: 0 ended by SIGTERM, 1 not healthy (--health), 2 wrong settings or options
"""

import argparse
import http.client
import os
import signal
import sys
import threading
from collections.abc import Sequence

import receiver_settings
from forge_calls import Caller
from log_lines import say
from receiver_settings import SettingError, Settings
from webhook_server import Server

SIGNALS = (signal.SIGTERM, signal.SIGINT)
DONE, SICK, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Read the settings and serve, or ask the one that serves how it is; return the exit code."""
    args = _parser().parse_args(argv)
    try:
        if args.health:
            return _ask_health(receiver_settings.address(os.environ))
        return _serve(receiver_settings.read(os.environ))
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="receiver", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    version = os.environ.get("IMAGE_REFERENCE", "not run from an image")
    text = "print the image's reference and exit"
    made.add_argument("--version", action="version", version=version, help=text)
    text = "ask the receiver that runs on this LISTEN how it is, and exit"
    made.add_argument("--health", action="store_true", help=text)
    return made


def _serve(settings: Settings) -> int:
    """Serve until a signal says to end; the threads end with the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # in all threads: this one waits for them
    caller = Caller(settings.call, settings.seconds)
    try:
        server = Server(settings.address, settings.secret, saved=settings.saved, want=caller.want)
    except OSError as error:
        raise SettingError(f"LISTEN: {error.strerror or error}; choose another address") from None
    host, port, *_ = server.socket.getsockname()
    say(f"listens on {host}:{port}; asks {settings.call.forge} for {settings.call.what}, "
        f"at most every {settings.seconds:g} s")  # fmt: skip
    for work in (caller.run, server.serve_forever):
        threading.Thread(target=work, daemon=True).start()
    number = signal.sigwait(SIGNALS)
    left = "; a call that was wanted is left to the forge's schedule" if caller.waiting else ""
    say(f"ended by {signal.Signals(number).name}{left}")
    return DONE


def _ask_health(address: tuple[str, int]) -> int:
    """Tell by the exit code whether the receiver answers."""
    host, port = address
    there = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=2)  # noqa: S104
    try:
        there.request("GET", "/health")
        return DONE if there.getresponse().status == http.client.NO_CONTENT else SICK
    except (OSError, http.client.HTTPException):
        return SICK
    finally:
        there.close()
