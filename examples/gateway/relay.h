/* SPDX-License-Identifier: MIT */
/* What a proxy may pass on (RFC 9110 section 7.6, RFC 9112): which requests it
 * takes at all, and which header fields it forwards. */
#ifndef GATEWAY_RELAY_H
#define GATEWAY_RELAY_H

#include <event2/http.h>

struct evbuffer;
struct evkeyvalq;

/* 0 if the request may be forwarded, else the status to refuse it with, and
 * *ret_why. evhttp has refused what it cannot parse; this refuses what it lets
 * through but two parsers could read differently. */
int relay_check(struct evhttp_request *req, const char **ret_why);

/* Path and query to send on: of "http://host/path" only "/path". Static or
 * owned by the request; NULL if there is none. */
const char *relay_target(struct evhttp_request *req);

/* Header fields of the request to a backend: without hop-by-hop fields, with
 * Via, X-Forwarded-For and the length of the body. 0, or -1 (no memory). */
int relay_request_headers(struct evhttp_request *req, struct evkeyvalq *to);

/* Header fields of the response to the client. */
void relay_response_headers(const struct evkeyvalq *from, struct evkeyvalq *to, int keep_length);

/* May it be sent twice (RFC 9110 section 9.2.2)? */
int relay_is_idempotent(enum evhttp_cmd_type method);
const char *relay_method_name(enum evhttp_cmd_type method);

#endif
