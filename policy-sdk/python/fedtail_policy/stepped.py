"""A streamer policy that has the whole interface in its hands."""


class Stepped:
    """The host wakes it, it does what can be done now, and returns what it waits for.

    `host` is what it sees of the world, such as `host.now()` in nanoseconds; `streamer` is the default streamer, which reads
    and sends all of the log, as it is, when it is stepped.
    """

    def __init__(self, host, streamer, settings):
        """Takes the site's own settings; see `Settings`. A `ValueError` says which one is wrong."""
        self.host = host
        self.streamer = streamer

    def step(self, connected, stop):
        """`connected`: the server is there, as the first wake of a stream and after each reconnect; `stop`: the job is ending,
        which comes once. Neither: the log or the window changed, or the time has come. Returns the instant to be woken at, or
        None where all is sent."""
        return self.streamer.step(connected, stop)
