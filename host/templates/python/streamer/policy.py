"""A streamer policy that lets a log leave some time after its stream began, so that somebody at the site can still stop it.

Its one setting is `delay-seconds = 60`: how long nothing leaves; needed.
"""

from fedtail_policy import Stepped

SECOND = 1_000_000_000


class Delay(Stepped):
    def __init__(self, host, streamer, settings):
        super().__init__(host, streamer, settings)
        delay = settings.need("delay-seconds", "how long nothing leaves the site")
        if not delay.isdecimal():
            raise ValueError(f"`delay-seconds` has to be a number of seconds, and is {delay!r}")
        self.opens_at = host.now() + int(delay) * SECOND
        # Wakes that the streamer has not been told of: each says something that comes once.
        self.connected = self.stopped = False

    def step(self, connected, stop):
        if self.host.now() < self.opens_at:
            self.connected |= connected
            self.stopped |= stop
            return self.opens_at
        # In this order: the end of the job never comes before the server is there.
        if self.connected:
            self.connected = False
            self.streamer.step(connected=True)
        if self.stopped:
            self.stopped = False
            self.streamer.step(stop=True)
        return self.streamer.step(connected, stop)
