/* SPDX-License-Identifier: MIT */
/* All harnesses: a new one is a file h_NAME.c and a row here. */
#ifndef TTB_TESTS_EXPLORE_HARNESSES_H
#define TTB_TESTS_EXPLORE_HARNESSES_H

#include "explore.h"

#define EX_HARNESSES(ROW) \
  ROW(ex_litmus_mp) \
  ROW(ex_litmus_mp_rlx) \
  ROW(ex_litmus_rs) \
  ROW(ex_litmus_sb) \
  ROW(ex_litmus_corr) \
  ROW(ex_litmus_iriw) \
  ROW(ex_litmus_2_2w) \
  ROW(ex_litmus_rmw) \
  ROW(ex_lock) \
  ROW(ex_lock_chain) \
  ROW(ex_flip) \
  ROW(ex_flip_readers) \
  ROW(ex_rows) \
  ROW(ex_rows_rivals) \
  ROW(ex_rows_two) \
  ROW(ex_rows_leave) \
  ROW(ex_cells_shared) \
  ROW(ex_ring_peace) \
  ROW(ex_ring_laps) \
  ROW(ex_ring_kill) \
  ROW(ex_ring_more) \
  ROW(ex_breaker_round) \
  ROW(ex_breaker_stampede) \
  ROW(ex_breaker_late) \
  ROW(ex_breaker_counts) \
  ROW(ex_breaker_clock) \
  ROW(ex_breaker_last) \
  ROW(ex_breaker_verdict) \
  ROW(ex_breaker_ramp) \
  ROW(ex_keys_new) \
  ROW(ex_breaker_closing) \
  ROW(ex_breaker_average) \
  ROW(ex_breaker_sums)    \
  ROW(ex_keys_reuse) \
  ROW(ex_keys_rivals) \
  ROW(ex_keys_find) \
  ROW(ex_keys_used) \
  ROW(ex_limiter_permits) \
  ROW(ex_limiter_bits) \
  ROW(ex_limiter_bits_kill) \
  ROW(ex_limiter_window) \
  ROW(ex_limiter_budget) \
  ROW(ex_limiter_keys) \
  ROW(ex_health_eject) \
  ROW(ex_health_eject_same) \
  ROW(ex_health_room) \
  ROW(ex_health_room_return) \
  ROW(ex_health_room_leave) \
  ROW(ex_health_sweep) \
  ROW(ex_balancer_plan) \
  ROW(ex_balancer_tags) \
  ROW(ex_balancer_tags_next) \
  ROW(ex_minima) \
  ROW(ex_minima_kill) \
  /* the end */

#define EX_DECLARE(name) extern const ex_harness name;
EX_HARNESSES(EX_DECLARE)
#undef EX_DECLARE

#endif
