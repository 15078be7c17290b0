/* SPDX-License-Identifier: MIT */
/* SipHash-2-4: a keyed hash of short messages that who has not the key cannot
 * forge (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF",
 * INDOCRYPT 2012). For what goes out to strangers and comes back.
 *
 * I1  Time depends on the length only, never on key or message. */
#ifndef TTB_LIB_BASE_SIPHASH_H
#define TTB_LIB_BASE_SIPHASH_H

#include <stdint.h>

#define TTB__SIPHASH_KEY 16u /* bytes */

uint64_t ttb__siphash(const unsigned char *key, const unsigned char *message, uint64_t n);

#endif
