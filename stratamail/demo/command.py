"""``stratamail demo``: the story told on this machine; exit status 1 when a promise was broken."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import click

from stratamail.demo.messages import ADA, BEN
from stratamail.demo.people import PASSWORD
from stratamail.demo.screen import Screen
from stratamail.demo.server import Trouble
from stratamail.demo.story import Story


@click.command()
@click.option(
    "--keep", is_flag=True, help="Leave everything running at the end, and say how to connect a mail program."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def demo(keep: bool, as_json: bool) -> None:
    """The whole story on this machine in under a minute; no configuration needed."""
    base = Path(tempfile.mkdtemp(prefix="stratamail-demo-"))
    screen = Screen(as_json)
    story = Story(base, screen)
    broken = False
    try:
        story.tell()
        if keep:
            _stay(story, screen, base)
    except (Trouble, OSError) as error:
        broken = True
        screen.step("The story broke off", False, str(error))
    except KeyboardInterrupt:
        broken = True
        screen.step("The story was broken off", False, "by Ctrl-C")
    finally:
        story.close()
        kept = screen.end(story.promises) and not broken
        if kept:
            shutil.rmtree(base, ignore_errors=True)
        else:
            screen.say(f"Log and state are in {base}")
    sys.exit(0 if kept else 1)


def _stay(story: Story, screen: Screen, base: Path) -> None:
    port = story.server.port
    screen.say(
        f"""
Everything stays up until Ctrl-C. Connect a mail program:
  IMAP  127.0.0.1 port {port["imap"]}    SMTP  127.0.0.1 port {port["submission"]}    (STARTTLS, self-signed)
  users {ADA} and {BEN}, password "{PASSWORD}"
  mail for them comes in at 127.0.0.1 port {port["smtp"]}
  stratamail --config {story.server.config} status
  log: {story.server.log}"""
    )
    with contextlib.suppress(KeyboardInterrupt):
        story.server.wait()
