/* SPDX-License-Identifier: MIT */
/* Making and checking regions: see region.h. */
#include "region.h"

#include <stdlib.h>
#include <string.h>

static uint64_t layout_hash(const ttb__format *f) {
  uint64_t h = ttb_hash(f->facts, (uint64_t)f->nfacts * sizeof *f->facts, f->kind);
  const uint64_t base[] = {h, TTB_ABI, sizeof(ttb__region), f->config->size};
  return ttb_hash(base, sizeof base, TTB__MAGIC);
}

int32_t ttb__region_span(const void *mem, uint64_t size, uint64_t need) {
  if (!mem) return TTB_ERR_MISUSE;
  if ((uintptr_t)mem % TTB_ALIGN != 0) return TTB_ERR_MISUSE;
  if (size < need || size > UINTPTR_MAX / 2) return TTB_ERR_NOSPACE;
  return TTB_OK;
}

void ttb__region_build(void *mem, uint64_t need, const ttb__format *f, const void *config,
                       uint64_t seed) {
  memset(mem, 0, (size_t)need);
  ttb__region *r = mem;
  r->abi = TTB_ABI;
  r->kind = f->kind;
  r->layout = layout_hash(f);
  r->size = need;
  r->seed = seed;
  r->config_size = f->config->size;
  memcpy((char *)mem + sizeof *r, config, f->config->size);
}

void ttb__region_ready(void *mem) {
  ttb__region *r = mem;
  /* Pairs with the acquire in ttb__region_open: who sees the magic sees the
   * whole object. Without it an attacher could copy half a config. */
  ttb__store_rel(&r->magic, TTB__MAGIC);
}

int32_t ttb__region_open(const void *mem, uint64_t size, const ttb__format *f, void *ret_config,
                         uint64_t *ret_size) {
  int32_t code = ttb__region_span(mem, size, sizeof(ttb__region));
  if (code < 0) return code;
  const ttb__region *shared = mem;
  /* Pairs with the release in ttb__region_ready. */
  uint64_t magic = ttb__load_acq(&shared->magic);
  if (magic == 0) return TTB_AGAIN;
  if (magic != TTB__MAGIC) {
    uint64_t swapped = 0;
    for (int i = 0; i < 8; i++) swapped |= (magic >> 8 * i & 0xff) << (56 - 8 * i);
    return swapped == TTB__MAGIC ? TTB_ERR_VERSION : TTB_ERR_CORRUPT;
  }
  /* A private copy: what is checked is what is used. Not of the clock: others
   * may be moving it. */
  ttb__region r;
  memcpy(&r, mem, offsetof(ttb__region, clock));
  if (r.abi != TTB_ABI) return TTB_ERR_VERSION;
  if (r.kind != f->kind) return TTB_ERR_MISMATCH;
  if (r.layout != layout_hash(f) || r.config_size != f->config->size) return TTB_ERR_VERSION;
  if (r.size < ttb__region_body(r.config_size)) return TTB_ERR_CORRUPT;
  if (r.size > size) return TTB_ERR_NOSPACE;

  /* Copied first: struct_size is believed only if it is ours, and cannot make
   * a reader walk off the end of the mapping. */
  _Alignas(8) unsigned char stored[TTB__MAX_CONFIG];
  if (r.config_size > sizeof stored) return TTB_ERR_NOSPACE;
  memcpy(stored, (const char *)mem + sizeof r, r.config_size);
  if (memcmp(stored, &r.config_size, sizeof r.config_size) != 0) return TTB_ERR_CORRUPT;
  if (ttb__config_read(f->config, stored, ret_config, -1, NULL) < 0) return TTB_ERR_CORRUPT;
  *ret_size = r.size;
  return TTB_OK;
}

static void *libc_alloc(void *ctx, uint64_t size, uint64_t align) {
  (void)ctx;
  if (size > SIZE_MAX / 2) return NULL;
  return aligned_alloc((size_t)align, (size_t)size);
}

static void libc_free(void *ctx, void *ptr, uint64_t size, uint64_t align) {
  (void)ctx, (void)size, (void)align;
  free(ptr);
}

static int32_t allocator_of(const ttb_allocator *a, ttb_allocator *ret) {
  if (!a) {
    *ret = (ttb_allocator){sizeof *ret, 0, NULL, libc_alloc, libc_free};
    return TTB_OK;
  }
  if (a->struct_size < sizeof *a || !a->alloc || !a->free) return TTB_ERR_MISUSE;
  *ret = *a;
  return TTB_OK;
}

int32_t ttb__take(const ttb_allocator *a, int64_t size, ttb_allocator *ret, void **ret_mem) {
  if (size < 0) return (int32_t)size;
  int32_t code = allocator_of(a, ret);
  if (code < 0) return code;
  *ret_mem = ret->alloc(ret->ctx, ttb__round64((uint64_t)size), TTB_ALIGN);
  return *ret_mem ? TTB_OK : TTB_ERR_NOMEM;
}

void ttb__release(const ttb_allocator *a, void *mem, uint64_t size) {
  a->free(a->ctx, mem, ttb__round64(size), TTB_ALIGN);
}
