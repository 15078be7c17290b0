/* SPDX-License-Identifier: MIT */
/* Zones: how much of the load of a zone's clients stays there, and where the rest
 * goes. A pure function of counts.
 *
 * Envoy's rule (load_balancer_impl.cc, regenerateLocalityRoutingStructures, commit
 * 0d2acde): if the zone has as large a share of the endpoints as of the clients, its
 * clients stay there. Else they stay in the proportion of the two, and the others go
 * where the share of endpoints exceeds that of clients, in proportion to by how much.
 * So all endpoints are loaded alike, and no call leaves its zone without need.
 *
 * I1  Shares are in 1/10000, rounded down. */
#include "balancer.h"

#define WHOLE 10000u

uint32_t ttb__zones(uint32_t local, const uint32_t *clients, const uint32_t *endpoints, uint32_t n,
                    uint32_t *ret_residual) {
  uint64_t all_clients = 0, all_endpoints = 0;
  for (uint32_t i = 0; i < n; i++) all_clients += clients[i], all_endpoints += endpoints[i];
  uint32_t residual = 0, stay = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t here = all_clients ? (uint32_t)(WHOLE * (uint64_t)clients[i] / all_clients) : 0;
    uint32_t there = all_endpoints ? (uint32_t)(WHOLE * (uint64_t)endpoints[i] / all_endpoints) : 0;
    if (i != local && there > here) residual += there - here;
    if (i == local && there > 0) stay = there >= here ? WHOLE : WHOLE * there / here;
    ret_residual[i] = residual;
  }
  return stay;
}

int32_t ttb_balancer_zones(uint32_t local, const uint32_t *clients, const uint32_t *endpoints,
                           uint32_t n, uint32_t *ret_residual) {
  if (!clients || !endpoints || !ret_residual) return TTB_ERR_MISUSE;
  if (n < 1 || n > TTB_MAX_ZONE + 1 || local >= n) return TTB_ERR_RANGE;
  return (int32_t)ttb__zones(local, clients, endpoints, n, ret_residual);
}
