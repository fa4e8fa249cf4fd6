"""The command ``stratamail``: its options, its commands, and what an error looks like.

Exit status: 0 done, 1 refused (the reason is on standard error), 2 wrong usage.
"""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from stratamail import __version__
from stratamail.cli.accounts import accounts, admins
from stratamail.cli.addresses import addresses
from stratamail.cli.diagnosis import doctor
from stratamail.cli.domains import domains
from stratamail.cli.importing import import_mailboxes
from stratamail.cli.mailboxes import mailboxes
from stratamail.cli.proof import proof
from stratamail.cli.queue import queue
from stratamail.cli.replay import replay
from stratamail.cli.restoring import restore
from stratamail.cli.session import Session
from stratamail.cli.setup import check_config, init
from stratamail.cli.status import events, outage, status
from stratamail.cli.wake import NotTaken
from stratamail.config.load import ConfigError
from stratamail.mail.reply import Failure
from stratamail.store.catalog.scope import Refused
from stratamail.store.database import DatabaseTooNew

DEFAULT = "/etc/stratamail/stratamail.toml"


class Commands(click.Group):
    """Turns what the rooms below raise into one line on standard error and status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Refused, ConfigError, DatabaseTooNew, NotTaken) as error:
            raise click.ClickException(str(error)) from error
        except Failure as failure:
            raise click.ClickException(failure.reply.text) from failure
        except SQLAlchemyError as error:
            raise click.ClickException(f"the database refused: {getattr(error, 'orig', None) or error}") from error
        except BrokenPipeError:
            raise
        except OSError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "-c", metavar="FILE", default=DEFAULT, show_default=True, help="The configuration file.")
@click.version_option(__version__, package_name="stratamail")
@click.pass_context
def main(ctx: click.Context, config: str) -> None:
    """StrataMail keeps a company's mail going while its own server is down."""
    session = ctx.obj = Session(config)
    ctx.call_on_close(session.close)


mailboxes.add_command(import_mailboxes)
mailboxes.add_command(restore)
for command in (
    init,
    check_config,
    accounts,
    admins,
    domains,
    mailboxes,
    addresses,
    queue,
    proof,
    replay,
    status,
    events,
    outage,
    doctor,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
