"""What twistd loads for ``twistd stratamail --config FILE``: the options, and the service they make."""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python import usage

from stratamail.app.service import Server
from stratamail.config.load import ConfigError, load

_DEFAULT = "/etc/stratamail/stratamail.toml"


class Options(usage.Options):
    """``--config FILE``."""

    synopsis = "[options]"
    longdesc = "Captures, shows, answers and gives back mail while a company's own server is down."
    optParameters = [["config", "c", _DEFAULT, "the configuration file"]]

    def postOptions(self) -> None:
        try:
            self["settings"] = load(self["config"])
        except (ConfigError, OSError) as error:
            raise usage.UsageError(str(error)) from error


def makeService(options: Options) -> IService:
    from twisted.internet import reactor  # noqa: PLC0415  (installed by twistd a moment ago)

    return Server(options["settings"], reactor)
