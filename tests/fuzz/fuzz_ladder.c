/* SPDX-License-Identifier: MIT */
/* Fuzz: a ladder from any config, any calls, any bytes in its region.
 *
 *     byte 0: 0 = a region of our own making, else the bytes themselves are it
 *     40 bytes: the config (struct_size included)
 *     then: operations of 16 bytes; those of kind 3 scribble over the region
 *
 * Nothing may crash or touch what is not the region's, and every answer must be
 * one of those there are. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <trimtab/ladder.h>

#define SIZE 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
  if (!ok) abort();
}

static void operate(ttb_ladder *l, unsigned char *mem, uint64_t bytes, const uint8_t *p,
                    size_t left) {
  uint64_t now = 0;
  for (; left >= 16; p += 16, left -= 16) {
    uint32_t word, more;
    int64_t wide;
    memcpy(&word, p + 4, sizeof word);
    memcpy(&more, p + 8, sizeof more);
    memcpy(&wide, p + 8, sizeof wide);
    now += p[1] & 1 ? (uint64_t)wide : (uint64_t)word * 1000;
    if (p[0] % 4 == 0) {
      int32_t level = ttb_ladder_observe(l, (int32_t)more, now);
      must((int32_t)more < 0 ? level == TTB_ERR_RANGE : level >= 0 && level <= 3);
    } else if (p[0] % 4 == 3) {
      if (bytes > 0) mem[word % bytes] ^= p[2];
    } else {
      ttb_ladder_ask ask = {p[2], p[3], (int32_t)more, 0, wide};
      ttb_ladder_answer a = {0};
      int32_t rung = ttb_ladder_serve(l, &ask, now, &a);
      must(rung < 0 || (rung >= TTB_LADDER_PRIMARY && rung <= TTB_LADDER_REFUSE));
      must(rung < 0 || (a.rung == rung && a.level >= 0 && a.level <= 3));
      ttb_ladder_info i = TTB_CONFIG(ttb_ladder_info);
      must(ttb_ladder_explain(l, now, &i) == TTB_OK);
      must(i.level >= 0 && i.level <= 3 && i.utilisation_ppm >= -1 && i.measured_ms >= -1 &&
           i.falls_in_ms >= -1);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(64) unsigned char mem[SIZE];
  if (size < 41) return 0;
  ttb_ladder l;
  memset(mem, 0, sizeof mem);
  if (data[0] != 0) {
    memcpy(mem, data + 1, size - 1 < SIZE ? size - 1 : SIZE);
    if (ttb_ladder_attach(&l, mem, SIZE) == TTB_OK) operate(&l, mem, SIZE, data + 41, size - 41);
    return 0;
  }
  struct {
    ttb_ladder_config c;
    unsigned char tail[256];
  } u;
  memset(&u, 0, sizeof u);
  memcpy(&u.c, data + 1, 40);
  if (u.c.struct_size > sizeof u) u.c.struct_size = sizeof u;
  int64_t bytes = ttb_ladder_size(&u.c);
  if (bytes < 0) return 0;
  must(bytes <= SIZE);
  must(ttb_ladder_init(&l, mem, SIZE, &u.c) == TTB_OK);
  operate(&l, mem, (uint64_t)bytes, data + 41, size - 41);
  ttb_ladder again;
  if (ttb_ladder_attach(&again, mem, SIZE) == TTB_OK)
    operate(&again, mem, (uint64_t)bytes, data + 41, size - 41);
  return 0;
}
