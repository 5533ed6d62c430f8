"""The component: what `fedtail policy build` begins with."""

from fedtail_policy.receiver_component import export
from policy import Endings

Receiving = export(Endings)
