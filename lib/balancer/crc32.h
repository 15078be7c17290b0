/* SPDX-License-Identifier: MIT */
/* CRC-32 (ISO 3309), as nginx has it: crc32.c. */
#ifndef TTB_LIB_BALANCER_CRC32_H
#define TTB_LIB_BALANCER_CRC32_H

#include <stdint.h>

/* The register, before its final inversion, after n more bytes; it begins as
 * UINT32_MAX. */
uint32_t ttb__crc32_add(uint32_t state, const void *bytes, uint64_t n);

/* The CRC-32 of two texts in a row, from theirs and the second's length. */
uint32_t ttb__crc32_join(uint32_t first, uint32_t second, uint64_t second_bytes);

#endif
