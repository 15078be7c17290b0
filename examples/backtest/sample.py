#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes sample.csv: two weeks of requests a second of an imaginary web shop, a row every
five minutes. A day and a week, noise, a sale on the second Thursday, a short crowd, an outage
upstream that takes the load away and gives it back at once."""
import datetime
import math
import random

STEP_S, DAYS = 300, 14
random.seed(20260302)
start = datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc)
drift = 0.0
print("time,requests_per_s")
for i in range(DAYS * 86400 // STEP_S):
    t = start + datetime.timedelta(seconds=i * STEP_S)
    hour, day = t.hour + t.minute / 60, i * STEP_S // 86400
    daily = 0.30 + 0.70 * math.exp(-((hour - 14.5) / 4.2) ** 2) + 0.35 * math.exp(-((hour - 20.5) / 1.8) ** 2)
    weekly = 0.72 if t.weekday() >= 5 else 1.0
    drift = 0.97 * drift + random.gauss(0, 0.02)
    load = 520 * daily * weekly * (1 + 0.004 * day) * (1 + drift) * (1 + random.gauss(0, 0.025))
    if day == 10 and 10 <= hour < 18:
        load *= 1.45 if hour < 11 else 1.3
    if day == 4 and 16 <= hour < 16.5:
        load *= 1.6
    if day == 8 and 12 <= hour < 12.75:
        load *= 0.1
    print(f"{t:%Y-%m-%dT%H:%MZ},{max(load, 0):.1f}")
