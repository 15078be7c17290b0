/* SPDX-License-Identifier: MIT */
/* page.html, which is built into the program. */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

struct evbuffer;

/* Appends the page. With `data` (which is drained) it is a report that stands
 * alone; with NULL it asks /_trimtab/state for what to show. */
void page_write(struct evbuffer *out, struct evbuffer *data);

#endif
