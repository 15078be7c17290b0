/* SPDX-License-Identifier: MIT */
/* The states met so far: a set of 64-bit hashes, open addressing, grows by four
 * when it is half full. Two states are taken for one with a probability of
 * n * n / 2^65: 10^-8 for a million states. */
#include "visited.h"

#include <stdlib.h>
#include <string.h>

static uint64_t *visited; /* 0 is an empty place */
static size_t visited_size, visited_used;

void ex_visited_reset(void) {
  if (visited_size == 0) {
    visited_size = (size_t)1 << 16;
    visited = malloc(visited_size * sizeof *visited);
    if (!visited) abort();
  }
  memset(visited, 0, visited_size * sizeof *visited);
  visited_used = 0;
}

/* True if it was not there yet. */
static bool visited_insert(uint64_t hash) {
  if (hash == 0) hash = 1;
  size_t i = (size_t)hash & (visited_size - 1);
  for (; visited[i] != 0; i = (i + 1) & (visited_size - 1))
    if (visited[i] == hash) return false;
  visited[i] = hash;
  visited_used++;
  return true;
}

bool ex_visited_add(uint64_t hash) {
  if (visited_used * 2 > visited_size) {
    uint64_t *old = visited;
    size_t old_size = visited_size;
    visited_size *= 4;
    visited = calloc(visited_size, sizeof *visited);
    if (!visited) abort();
    visited_used = 0;
    for (size_t i = 0; i < old_size; i++)
      if (old[i] != 0) (void)visited_insert(old[i]);
    free(old);
  }
  return visited_insert(hash);
}
