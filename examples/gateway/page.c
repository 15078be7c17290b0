/* SPDX-License-Identifier: MIT */
/* The page with its data put in; see page.h. */
#include "page.h"

#include <event2/buffer.h>
#include <string.h>

#include "page_html.h" /* made from page.html by embed.c */

static const char hole[] = "/*DATA*/null";

void page_write(struct evbuffer *out, struct evbuffer *data) {
  const char *page = (const char *)page_html;
  const char *at = data != NULL ? strstr(page, hole) : NULL;
  if (at == NULL) {
    evbuffer_add(out, page, sizeof page_html - 1);
    return;
  }
  evbuffer_add(out, page, (size_t)(at - page));
  evbuffer_add_buffer(out, data);
  at += sizeof hole - 1;
  evbuffer_add(out, at, strlen(at));
}
