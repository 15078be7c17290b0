# SPDX-License-Identifier: MIT
"""trimtab: horizontal-scaling decisions, shared by all processes of a host."""
from ._enums import (
    Algorithm,
    BalancerFlag,
    BreakerState,
    Cause,
    EventKind,
    Outcome,
    Probing,
    Reason,
    Status,
)
from ._ffi import Option, key_hash
from ._ffi import version as __version__
from .balancer import Balancer, BalancerStats, EndpointInfo
from .breaker import Breaker, BreakerInfo, BreakerStats
from .errors import CircuitOpen, NoEndpoint, Refused, TrimtabError
from .pool import Event, Events, Pool, PoolInfo, PoolStats

__all__ = [
    "Algorithm",
    "Balancer",
    "BalancerFlag",
    "BalancerStats",
    "Breaker",
    "BreakerInfo",
    "BreakerState",
    "BreakerStats",
    "Cause",
    "CircuitOpen",
    "EndpointInfo",
    "Event",
    "EventKind",
    "Events",
    "NoEndpoint",
    "Option",
    "Outcome",
    "Pool",
    "PoolInfo",
    "PoolStats",
    "Probing",
    "Reason",
    "Refused",
    "Status",
    "TrimtabError",
    "__version__",
    "key_hash",
]
