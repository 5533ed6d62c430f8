"""A receiver policy that takes only logs with certain endings.

Its one setting is `endings = ".txt,.json"`: how the names of the logs end that are taken; needed.
"""

from fedtail_policy import Gate, Never


class Endings(Gate):
    def __init__(self, caller, store, settings):
        endings = settings.need("endings", "how the names of the logs end that are taken")
        if not any(caller.log.endswith(ending.strip()) for ending in endings.split(",")):
            # The site's operator reads this.
            raise Never(f"this server takes logs that end with {endings}, and {caller.log} does not")

    # Asked for each piece that comes, of so many bytes: it can also be dropped with a reason, or be the last one.
    def take(self, length):
        return None
