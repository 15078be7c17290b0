/* SPDX-License-Identifier: MIT */
/* The rows of ttb_endpoint: see config.h. That an id is not 0 is checked by who
 * reads one. */
#include "config.h"

#define E(type, field, unit, min, max, def, flags) \
  TTB__FIELD(ttb_endpoint, type, field, unit, min, max, def, flags)

static const ttb__field fields[] = {
    E(U32, struct_size, "bytes", 0, 0, 0, TTB__ANY),
    E(U32, weight, "", 1, 65535, 1, 0),
    E(U64, id, "", 1, INT64_MAX, 0, TTB__ANY), /* any but 0 */
    E(U32, zone, "", 1, TTB_MAX_ZONE, 0, 0),
    E(U32, priority, "", 1, TTB_MAX_PRIORITY, 0, 0),
    E(U32, flags, "", 1, TTB_ENDPOINT_BACKUP, 0, 0),
    E(U32, max_inflight, "calls", 1, 1000000, 0, 0),
    E(U64, tags, "", 0, 0, 0, TTB__ANY),
};
const ttb__struct ttb__endpoint_fields = TTB__STRUCT(ttb_endpoint, fields);
