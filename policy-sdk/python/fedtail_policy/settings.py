"""The settings that an administrator gives to a policy."""


class Settings:
    """A policy's own settings, each key once.

    A policy takes what it knows; what is left is refused by name. A setting without effect could be one that somebody
    relies on, such as what to redact. A `ValueError` is shown to the administrator, and ends the stream.
    """

    def __init__(self, settings):
        self._left = dict(settings)

    def take(self, key, otherwise=None):
        """The value of this key, a text, if it was set."""
        return self._left.pop(key, otherwise)

    def need(self, key, what):
        """The value of this key; `what` is what it has to be."""
        value = self.take(key)
        if value is None:
            raise ValueError(f"set `{key}` to {what}")
        return value

    def take_all(self, beginning):
        """All keys with this beginning, such as `pattern.`, without it, with their values, in the order of the
        configuration."""
        keys = [key for key in self._left if key.startswith(beginning)]
        return [(key[len(beginning) :], self._left.pop(key)) for key in keys]

    def done(self):
        """Refuses what is left. Who starts the policy calls it after the policy has taken what it knows."""
        for key in self._left:
            raise ValueError(f"this policy has no setting `{key}`; remove it, or load the policy that it is for")
