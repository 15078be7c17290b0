/* SPDX-License-Identifier: MIT */
/* A backend: a small HTTP server process with a fixed capacity, which can be
 * told to misbehave. The fleet starts it as `gateway backend FD PORT START_MS
 * ID PARENT`, where FD is one end of a socket pair and PARENT the pid of the fleet:
 *
 *     backend -> fleet   "ready PORT\n"  once, when it accepts connections
 *     fleet -> backend   "mode NAME N\n" NAME as in script.h; "none" heals
 *
 * End of file on FD ends the process, so that no backend outlives its gateway
 * (the parent's death signal is asked for as well). */
#ifndef GATEWAY_BACKEND_H
#define GATEWAY_BACKEND_H

/* How much a backend can do at once, and how long it takes a request. */
#define BACKEND_CONCURRENCY 2
#define BACKEND_SERVICE_MS 20.0
#define BACKEND_CHECK_MS 15.0 /* what GET /health takes */
#define BACKEND_QUEUE 100     /* beyond it: 503 */

/* main() of a backend process; argv[0] is "backend". */
int backend_main(int argc, char **argv);

#endif
