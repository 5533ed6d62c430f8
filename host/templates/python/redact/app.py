"""The component: what `fedtail policy build` begins with."""

from fedtail_policy.component import export
from policy import Redact

Tailing = export(Redact)
