/* SPDX-License-Identifier: MIT */
/* The live page; see admin.h. */
#include "admin.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "measure.h"
#include "page.h"
#include "series.h"

struct admin {
  struct evhttp *http;
  fleet *fleet;
  struct series *series;
  event_log *log;
  int port;
};

static void respond(struct evhttp_request *req, int code, const char *type, struct evbuffer *body) {
  struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
  evhttp_add_header(headers, "Content-Type", type);
  evhttp_add_header(headers, "Cache-Control", "no-store");
  evhttp_send_reply(req, code, NULL, body);
}

static void on_page(struct evhttp_request *req, void *arg) {
  (void)arg;
  struct evbuffer *body = evbuffer_new();
  if (body != NULL) page_write(body, NULL);
  respond(req, body != NULL ? 200 : 500, "text/html; charset=utf-8", body);
  if (body != NULL) evbuffer_free(body);
}

static void on_state(struct evhttp_request *req, void *arg) {
  admin *a = arg;
  struct evbuffer *body = evbuffer_new();
  if (body != NULL) {
    evbuffer_add_printf(body, "{\"live\":true,\"runs\":[");
    series_json(a->series, log_ms(a->log, now_ns()), body);
    evbuffer_add_printf(body, "],\"tables\":[]}\n");
  }
  respond(req, body != NULL ? 200 : 500, "application/json", body);
  if (body != NULL) evbuffer_free(body);
}

static void on_fault(struct evhttp_request *req, void *arg) {
  admin *a = arg;
  struct evkeyvalq query;
  TAILQ_INIT(&query);
  int code = 400;
  const char *host = evhttp_request_get_host(req);
  if (host == NULL || (strcmp(host, "127.0.0.1") != 0 && strcmp(host, "localhost") != 0) ||
      evhttp_find_header(evhttp_request_get_input_headers(req), "X-Trimtab") == NULL ||
      evhttp_request_get_command(req) != EVHTTP_REQ_POST) {
    code = 403;
  } else if (evhttp_parse_query_str(evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req)),
                                    &query) == 0) {
    const char *id = evhttp_find_header(&query, "backend");
    const char *what = evhttp_find_header(&query, "what");
    int fault = what != NULL ? fault_by_name(what) : -1;
    backend *b = id != NULL ? fleet_find(a->fleet, strtoull(id, NULL, 10)) : NULL;
    if (fault >= 0) code = 404;
    if (fault >= 0 && b != NULL) {
      fleet_hurt(a->fleet, b, (enum fault)fault);
      code = 200;
    }
  }
  evhttp_clear_headers(&query);
  respond(req, code, "text/plain", NULL);
}

admin *admin_new(struct event_base *base, fleet *f, struct series *s, event_log *log, int port) {
  admin *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  *a = (admin){.fleet = f, .series = s, .log = log, .http = evhttp_new(base)};
  if (a->http == NULL) {
    free(a);
    return NULL;
  }
  evhttp_set_max_headers_size(a->http, 8 * 1024);
  evhttp_set_max_body_size(a->http, 1024);
  evhttp_set_timeout(a->http, 60);
  evhttp_set_cb(a->http, "/", on_page, a);
  evhttp_set_cb(a->http, "/_trimtab/state", on_state, a);
  evhttp_set_cb(a->http, "/_trimtab/fault", on_fault, a);
  struct evhttp_bound_socket *bound =
      evhttp_bind_socket_with_handle(a->http, "127.0.0.1", (uint16_t)port);
  struct sockaddr_in addr;
  socklen_t len = sizeof addr;
  if (bound == NULL ||
      getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&addr, &len) != 0) {
    admin_free(a);
    return NULL;
  }
  a->port = ntohs(addr.sin_port);
  return a;
}

int admin_port(const admin *a) { return a->port; }

void admin_free(admin *a) {
  evhttp_free(a->http);
  free(a);
}
