# SPDX-License-Identifier: MIT
"""The words that all modules share (include/trimtab/base.h)."""
from __future__ import annotations

import enum


class Outcome(enum.IntEnum):
    """How a call ended."""

    SUCCESS = 0
    FAILURE = 1
    SLOW = 2
    IGNORED = 3
    CANCELLED = 4
    SLOW_FAILURE = 5


class Status(enum.IntEnum):
    """What is known of an endpoint's health."""

    UNKNOWN = 0
    HEALTHY = 1
    DEGRADED = 2
    UNHEALTHY = 3
    STALE = 4
    DRAINING = 5


class BreakerState(enum.IntEnum):
    """States of a breaker."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    FORCED_OPEN = 3
    DISABLED = 4


class BreakerPreset(enum.IntEnum):
    """Configurations of a breaker to begin with (docs/breaker.md lists them)."""

    PLAIN = 1
    RESILIENCE4J = 2
    GOBREAKER = 3
    POLLY = 4
    FAILSAFE = 5
    ENVOY = 6
    HYSTRIX = 7
    HTTP = 8
    DATABASE = 9
    CACHE = 10
    SLOW_MODEL = 11


class Algorithm(enum.IntEnum):
    """How a balancer chooses; 0 is the default, TWO_CHOICES."""

    TWO_CHOICES = 1
    ROUND_ROBIN = 2
    WEIGHTED_ROUND_ROBIN = 3
    LEAST_CONNECTIONS = 4
    MAGLEV = 5
    RING_HASH = 6
    JUMP = 7
    RENDEZVOUS = 8
    WEIGHTED_RANDOM = 9
    KETAMA = 10
    NGINX_CONSISTENT = 11
    FIRST_FIT = 12
    PEAK_EWMA = 13
    PREQUAL = 14
    PATCHED_MAGLEV = 15
    ANCHOR = 16
    NGINX_HASH = 17


class BalancerFlag(enum.IntFlag):
    """The option `flags` of a balancer."""

    TRACK = 1
    MOVING_TICKETS = 2
    CHECK_TICKETS = 4
    TAGS = 8
    CAPS = 16
    LEVELS = 32
    LOAD_WEIGHTS = 64


class Cause(enum.IntFlag):
    """Who says that an endpoint takes no new calls."""

    ADMIN = 1
    PROBE = 2
    OUTLIER = 4
    BREAKER = 8
    DRAIN = 16
    OVERLOAD = 32
    WEIGHT = 64


class Reason(enum.IntEnum):
    """Why an endpoint is not the next one: the first that holds."""

    CHOSEN = 0
    BY_ADMIN = 1
    BY_PROBE = 2
    BY_OUTLIER = 3
    BY_BREAKER = 4
    BY_DRAIN = 5
    BY_OVERLOAD = 6
    BY_WEIGHT = 7
    EXCLUDED = 8
    NOT_CHOSEN = 9
    BY_RESIDENCY = 10
    BY_TAGS = 11
    FULL = 12
    BY_LEVEL = 13
    BY_ZONE = 14
    STARTING = 15


class Probing(enum.IntEnum):
    """How a pool probes an endpoint back in; 0 is the default, TRAFFIC."""

    TRAFFIC = 1
    ACTIVE = 2


class EventKind(enum.IntEnum):
    """What happened to an endpoint of a pool."""

    ADDED = 1
    REMOVED = 2
    EJECTED = 3
    READMITTED = 4
    STATUS = 5
    PROBED = 6
    CAUSES = 7
    RECOVERED = 8
    LIMITED = 9


class LimiterKind(enum.IntEnum):
    """What a limiter limits; 0 is the default, BULKHEAD."""

    BULKHEAD = 1
    RATE = 2
    RETRY = 3
    RETRY_TOKENS = 4
    THROTTLE = 5
    ADAPTIVE = 6
    RETRY_CONCURRENT = 7


class LimiterFlag(enum.IntFlag):
    """The option `flags` of a limiter."""

    KEYED = 1


class LimitAlgorithm(enum.IntEnum):
    """How an adaptive limit finds itself; 0 is the default, GRADIENT2."""

    AIMD = 1
    VEGAS = 2
    GRADIENT2 = 3
    GRADIENT = 4


class Importance(enum.IntEnum):
    """What a call asks of a bulkhead (the criticality of the Google SRE book):
    SHEDDABLE may use all permits but `reserve_3`, and so on."""

    CRITICAL_PLUS = 0
    CRITICAL = 1
    SHEDDABLE_PLUS = 2
    SHEDDABLE = 3


class Jitter(enum.IntEnum):
    """How a backoff is spread; 0 is the default, FULL."""

    FULL = 1
    EQUAL = 2
    DECORRELATED = 3
    NONE = 4


class HealthStart(enum.IntEnum):
    """What a target is before its first result (option `start`)."""

    UNKNOWN = 1
    UP = 2
    DOWN = 3
    FULLY_UP = 4
    FULLY_DOWN = 5


class HealthFlag(enum.IntFlag):
    """The option `flags` of a health table."""

    DISABLED = 1
    EJECT_SHADOW = 2
    EJECT_SPLIT = 4
    EJECT_ONE = 8
    EJECT_PROBED = 16


class PassiveAction(enum.IntEnum):
    """What `passive_errors` errors of traffic in a row do."""

    FAIL_CHECK = 1
    SUDDEN_DEATH = 2
    MARK_DOWN = 3


class Eject(enum.IntEnum):
    """How outliers are found (option `eject`); 0 is the default, not at all."""

    ROBUST = 1
    ENVOY = 2
    GRPC = 3


class FailureCause(enum.IntEnum):
    """Failures with a cause, for `Health.observe`: 502..504, and not reached."""

    GATEWAY = 16
    LOCAL = 17


class HealthReason(enum.IntEnum):
    """Why a target has its status."""

    BY_NOTHING = 0
    BY_PASSES = 1
    BY_FAILURES = 2
    BY_LATENCY = 3
    BY_TRAFFIC = 4
    BY_SILENCE = 5
    BY_HAND = 6


class Pace(enum.IntEnum):
    """Which interval a target's next probe waits."""

    STEADY = 1
    CHANGING = 2
    DOWN = 3


class Criticality(enum.IntEnum):
    """How much a target matters to a view."""

    REQUIRED = 0
    OPTIONAL = 1
    INFO = 2
