/* SPDX-License-Identifier: MIT */
/* Hop-by-hop fields and checks of a proxy; see relay.h. */
#include "relay.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

/* Fields that concern one connection only, and Expect, which evhttp answered. */
static const char *const hop_by_hop[] = {
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
};

/* Is `name` one of the comma-separated words of the list? */
static int listed(const char *list, const char *name) {
  size_t len = strlen(name);
  for (const char *at = list; *at != '\0';) {
    at += strspn(at, " \t,");
    size_t word = strcspn(at, " \t,");
    if (word == len && strncasecmp(at, name, len) == 0) return 1;
    at += word;
  }
  return 0;
}

static int is_hop_by_hop(const struct evkeyvalq *headers, const char *name) {
  for (size_t i = 0; i < sizeof hop_by_hop / sizeof hop_by_hop[0]; i++)
    if (strcasecmp(name, hop_by_hop[i]) == 0) return 1;
  const struct evkeyval *h;
  TAILQ_FOREACH(h, headers, next)
  if (strcasecmp(h->key, "Connection") == 0 && listed(h->value, name)) return 1;
  return 0;
}

static int is_token(const char *name) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  if (*name == '\0') return 0;
  for (; *name != '\0'; name++) {
    char c = *name;
    int alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alnum && strchr(others, c) == NULL) return 0;
  }
  return 1;
}

static int is_clean(const char *text, int space_allowed) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == 0x7f || (c < 0x20 && !(space_allowed && c == '\t')) || (c == ' ' && !space_allowed))
      return 0;
  }
  return 1;
}

int relay_check(struct evhttp_request *req, const char **ret_why) {
  int hosts = 0, lengths = 0, encodings = 0;
  const struct evkeyval *h;
  TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next) {
    *ret_why = "bad header field";
    if (!is_token(h->key) || !is_clean(h->value, 1)) return 400;
    hosts += strcasecmp(h->key, "Host") == 0;
    if (strcasecmp(h->key, "Content-Length") == 0) {
      lengths++;
      *ret_why = "bad Content-Length";
      if (h->value[0] == '\0' || h->value[strspn(h->value, "0123456789")] != '\0') return 400;
    }
    if (strcasecmp(h->key, "Transfer-Encoding") == 0) {
      encodings++;
      *ret_why = "unknown Transfer-Encoding";
      if (strcasecmp(h->value, "chunked") != 0) return 501;
    }
  }
  *ret_why = "ambiguous body length";
  if (lengths + encodings > 1) return 400;
  *ret_why = "not exactly one Host";
  if (hosts != 1) return 400; /* HTTP/1.0 clients send it as well today */
  *ret_why = "bad request target";
  const char *target = relay_target(req);
  if (target == NULL || target[0] != '/' || !is_clean(target, 0)) return 400;
  return 0;
}

const char *relay_target(struct evhttp_request *req) {
  const char *uri = evhttp_request_get_uri(req);
  if (uri == NULL || uri[0] == '/') return uri;
  const char *authority = strstr(uri, "://");
  if (authority == NULL) return NULL;
  const char *path = strchr(authority + 3, '/');
  return path != NULL ? path : "/";
}

int relay_request_headers(struct evhttp_request *req, struct evkeyvalq *to) {
  const struct evkeyvalq *from = evhttp_request_get_input_headers(req);
  const struct evkeyval *h;
  int bad = 0;
  TAILQ_FOREACH(h, from, next) {
    if (is_hop_by_hop(from, h->key) || strcasecmp(h->key, "Content-Length") == 0) continue;
    bad |= evhttp_add_header(to, h->key, h->value);
  }
  size_t body = evbuffer_get_length(evhttp_request_get_input_buffer(req));
  if (body != 0) {
    char text[24];
    snprintf(text, sizeof text, "%zu", body);
    bad |= evhttp_add_header(to, "Content-Length", text);
  }
  char *peer = NULL;
  uint16_t port;
  struct evhttp_connection *conn = evhttp_request_get_connection(req);
  if (conn != NULL) evhttp_connection_get_peer(conn, &peer, &port);
  if (peer != NULL) bad |= evhttp_add_header(to, "X-Forwarded-For", peer);
  bad |= evhttp_add_header(to, "Via", "1.1 gateway");
  return bad;
}

void relay_response_headers(const struct evkeyvalq *from, struct evkeyvalq *to, int keep_length) {
  const struct evkeyval *h;
  TAILQ_FOREACH(h, from, next) {
    if (is_hop_by_hop(from, h->key)) continue;
    if (strcasecmp(h->key, "Content-Length") == 0 && !keep_length) continue;
    evhttp_add_header(to, h->key, h->value);
  }
  evhttp_add_header(to, "Via", "1.1 gateway");
}

int relay_is_idempotent(enum evhttp_cmd_type method) {
  return method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD || method == EVHTTP_REQ_PUT ||
         method == EVHTTP_REQ_DELETE || method == EVHTTP_REQ_OPTIONS;
}

const char *relay_method_name(enum evhttp_cmd_type method) {
  switch (method) {
    case EVHTTP_REQ_GET: return "GET";
    case EVHTTP_REQ_POST: return "POST";
    case EVHTTP_REQ_HEAD: return "HEAD";
    case EVHTTP_REQ_PUT: return "PUT";
    case EVHTTP_REQ_DELETE: return "DELETE";
    case EVHTTP_REQ_OPTIONS: return "OPTIONS";
    case EVHTTP_REQ_PATCH: return "PATCH";
    case EVHTTP_REQ_TRACE:
    case EVHTTP_REQ_CONNECT:
    default: return "OTHER";
  }
}
