/* SPDX-License-Identifier: MIT */
/* The backtester's own model, so that both judge alike. */
#include "../../../examples/backtest/replay.c"
