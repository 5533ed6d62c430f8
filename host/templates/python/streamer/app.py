"""The component: what `fedtail policy build` begins with."""

from fedtail_policy.component import export
from policy import Delay

Tailing = export(Delay)
