"""The component around a gate: it translates between the contract's bindings and plain Python."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import receiving
from wit_world.imports import diagnostics, log_sink, usage

from .gate import Drop, Last, Later, Never
from .in_words import in_words
from .receiver import Receiver

LEVELS = {
    "debug": diagnostics.Level.DEBUG,
    "info": diagnostics.Level.INFO,
    "warn": diagnostics.Level.WARN,
    "error": diagnostics.Level.ERROR,
}


def export(gate):
    """The class that makes a component of a gate. Its place is a module that `componentize-py` is given:

        Receiving = export(MyGate)
    """

    class Receiving(exports.Receiving):
        # Each call is made on an object of its own, so the one stream of this instance is the class's.
        receiver = None

        def accept(self, caller):
            try:
                Receiving.receiver = Receiver(gate, Store(), caller)
            except Never as never:
                raise Err(receiving.Refusal_Never(str(never))) from never
            except Later as later:
                raise Err(receiving.Refusal_Later(receiving.Postponement(later.after, str(later)))) from later
            return receiving.Terms(caller.idle_timeout)

        def step(self, wake):
            with in_words():
                if isinstance(wake, receiving.Wake_Data):
                    with wake.value as chunk:
                        return Receiving.taken(chunk)
                if isinstance(wake, receiving.Wake_Lost):
                    Receiving.receiver.gaps += 1
                if isinstance(wake, receiving.Wake_Idle):
                    return receiving.Next_Close(receiving.Ending_Idle())
            return receiving.Next_Wait()

        @classmethod
        def taken(cls, chunk):
            answer = cls.receiver.gate.take(chunk.len())
            if isinstance(answer, Drop):
                log_sink.drop_data(answer.why)
                return receiving.Next_Wait()
            log_sink.append(chunk)
            if isinstance(answer, Last):
                return receiving.Next_Close(receiving.Ending_Failed(answer.why))
            return receiving.Next_Wait()

        def finish(self, ending):
            sent_to_end = isinstance(ending, (receiving.Ending_Complete, receiving.Ending_Incomplete))
            # Without an accepted stream there is nothing to decide, and nothing is the worse for staying.
            if Receiving.receiver is not None and Receiving.receiver.finish(sent_to_end):
                return receiving.Disposition_Keep()
            return receiving.Disposition_RetainPartial()

    return Receiving


class Store:
    """The server's store, through the component's imports."""

    def size(self):
        return log_sink.size()

    def others(self):
        return usage.others()

    def say(self, level, words):
        diagnostics.say(LEVELS[level], words)
