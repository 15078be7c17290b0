/* SPDX-License-Identifier: MIT */
/* The live page, on a port of its own on 127.0.0.1:
 *
 *     GET  /                                  the page
 *     GET  /_trimtab/state                    what it plots, as JSON
 *     POST /_trimtab/fault?backend=3&what=slow  hurts a backend, or heals it (none)
 *
 * The last one needs the header X-Trimtab, which no foreign page can send
 * without the browser asking us first (and we never allow it), and our own name
 * as Host, which no foreign name that resolves to us has. */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "fleet.h"
#include "log.h"

struct event_base;
struct series;
typedef struct admin admin;

/* NULL if the port cannot be had. */
admin *admin_new(struct event_base *base, fleet *f, struct series *s, event_log *log, int port);
int admin_port(const admin *a);
void admin_free(admin *a);

#endif
