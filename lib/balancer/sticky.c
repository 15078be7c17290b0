/* SPDX-License-Identifier: MIT */
/* Sticky tokens: an endpoint's id as text that a client keeps (a cookie), can neither
 * read nor change, and hands back.
 *
 *     token = base64url(mac 8 | id ^ pad 8)          22 characters, no padding
 *     mac   = SipHash-2-4(key, 0 | id),  pad = SipHash-2-4(key, 1 | mac)
 *
 * The tag is at once what the id is hidden with: a deterministic encryption (P.
 * Rogaway, T. Shrimpton, "A Provable-Security Treatment of the Key-Wrap Problem",
 * EUROCRYPT 2006), so it needs no random numbers; the same id has the same token.
 *
 * I1  Who lacks the key makes a token that opens with a chance of 2^-64 a try.
 * I2  How long opening takes does not depend on where a token is wrong; a text of
 *     another length is refused at once.
 * I3  An id has one token: no other text opens to it. */
#include "../base/siphash.h"
#include "balancer.h"

#define BYTES 16u
#define CHARS 22u
_Static_assert(TTB_STICKY_SIZE == CHARS + 1, "and its NUL");

static void store64(unsigned char *to, uint64_t x) {
  for (int i = 0; i < 8; i++) to[i] = (unsigned char)(x >> 8 * i);
}
static uint64_t load64(const unsigned char *from) {
  uint64_t x = 0;
  for (int i = 0; i < 8; i++) x |= (uint64_t)from[i] << 8 * i;
  return x;
}

static uint64_t keyed(const unsigned char *key, unsigned char purpose, uint64_t x) {
  unsigned char message[9] = {purpose};
  store64(message + 1, x);
  return ttb__siphash(key, message, sizeof message);
}

/* ---- base64url (RFC 4648, section 5), without a table: time tells nothing ---- */

static char char_of(uint32_t six) {
  if (six < 26) return (char)('A' + six);
  if (six < 52) return (char)('a' + (six - 26));
  if (six < 62) return (char)('0' + (six - 52));
  return six == 62 ? '-' : '_';
}

/* All ones if low <= c <= high, else 0. */
static uint32_t within(uint32_t c, uint32_t low, uint32_t high) {
  return (uint32_t)(((int32_t)(c - low) >> 31 | (int32_t)(high - c) >> 31) ^ -1);
}

/* Six bits; above them anything if c is no such character. */
static uint32_t six_of(uint32_t c) {
  uint32_t upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z'), digit = within(c, '0', '9');
  uint32_t minus = within(c, '-', '-'), under = within(c, '_', '_');
  uint32_t six = (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
                 (minus & 62) | (under & 63);
  return six | (~(upper | lower | digit | minus | under) & 64);
}

static void encode(const unsigned char *from, char *to) {
  uint32_t bits = 0, have = 0, at = 0;
  for (uint32_t i = 0; i < BYTES; i++) {
    bits = bits << 8 | from[i];
    for (have += 8; have >= 6; have -= 6) to[at++] = char_of(bits >> (have - 6) & 63);
  }
  to[at++] = char_of(bits << (6 - have) & 63);
  to[at] = 0;
}

/* 0 if it was base64url of 16 bytes, with zeros in the bits left over. */
static uint32_t decode(const char *from, unsigned char *to) {
  uint32_t bits = 0, have = 0, at = 0, wrong = 0;
  for (uint32_t i = 0; i < CHARS; i++) {
    uint32_t six = six_of((unsigned char)from[i]);
    wrong |= six & 64;
    bits = bits << 6 | (six & 63);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    to[at++] = (unsigned char)(bits >> have);
  }
  return wrong | (bits & ((1u << have) - 1));
}

/* ---- tokens ---- */

int32_t ttb_sticky_seal(const void *key, uint64_t id, char *ret_token) {
  unsigned char raw[BYTES];
  if (!key || !ret_token) return TTB_ERR_MISUSE;
  if (id == 0) return TTB_ERR_RANGE;
  uint64_t mac = keyed(key, 0, id);
  store64(raw, mac);
  store64(raw + 8, id ^ keyed(key, 1, mac));
  encode(raw, ret_token);
  return TTB_OK;
}

int32_t ttb_sticky_open(const void *key, const char *token, uint64_t n, uint64_t *ret_id) {
  unsigned char raw[BYTES];
  if (!key || !ret_id || (n > 0 && !token)) return TTB_ERR_MISUSE;
  if (n != CHARS) return TTB_FORGED;
  uint64_t wrong = decode(token, raw), mac = load64(raw);
  uint64_t id = load64(raw + 8) ^ keyed(key, 1, mac);
  wrong |= mac ^ keyed(key, 0, id);
  if (wrong != 0 || id == 0) return TTB_FORGED;
  *ret_id = id;
  return TTB_OK;
}
