/* SPDX-License-Identifier: MIT */
/* Cases that plan answers, for every runner: sets of other modules' folders
 * (erlang, availability_math) ask it, too. */
#ifndef TESTS_VECTORS_PLAN_CASES_H
#define TESTS_VECTORS_PLAN_CASES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Is this set (a file's name without .json) one of plan's? */
bool plan_has_set(const char *set);

/* Runs a case of such a set; if it fails, why says what was wrong. */
bool plan_case(const char *set, const json_t *one, char *why, size_t why_size);

#endif
