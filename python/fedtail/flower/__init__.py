"""Live logs of Flower's ClientApps: ``flwr log`` shows the ServerApp's log alone.

:class:`ClientLog` is a mod for the ClientApp: what the app logs and prints while it handles a message is streamed to the server.
:class:`ServerLogs` takes the streams in the ServerApp, and shows them there, so that ``flwr log`` shows them too.
"""

from fedtail.flower.client import ClientLog
from fedtail.flower.server import ServerLogs

__all__ = ["ClientLog", "ServerLogs"]
