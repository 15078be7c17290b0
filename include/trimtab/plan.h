/* SPDX-License-Identifier: MIT */
/**
 * @file trimtab/plan.h
 * @brief Arithmetic of capacity and availability: how many, and what for.
 *
 * Pure functions of numbers. There is no object here, no region and no handle;
 * nothing is kept, allocated or asked of the operating system.
 *
 *     question                                             function
 *     how long is this arrangement down?                   ttb_plan_k_of_n, _k_of_unlike,
 *                                                          _series, _parallel, _downtime
 *     how many replicas make it good enough?               ttb_plan_replicas
 *     how full may servers be if f of n can fail?          ttb_plan_safe_utilisation
 *     what do spares cost?                                 ttb_plan_n_plus_k, _cost, _spares
 *     what do measurements say about ten times as many?    ttb_plan_usl_*
 *     how many servers so that hardly anybody waits?       ttb_plan_erlang_*, ttb_plan_servers
 *
 * For example, four servers that are each down a thousandth of the time, three
 * of which can carry the load:
 *
 *     double down, seconds;
 *     ttb_plan_k_of_n(4, 3, 0.001, 0, &down);     5.992e-6
 *     ttb_plan_downtime(down, &seconds);          189 s a year
 *
 * ## Down, not up
 *
 * Availability is written here as its complement, the share of time something
 * is *down*: 99.9 % is 0.001. Both say the same, but a double cannot tell
 * 1 - 1e-17 from 1, and 1e-17 it can. The availability is 1 - down.
 *
 * ## Load in erlang
 *
 * Queueing functions take the offered load: arrivals a second times the mean
 * service time in seconds, which is how many servers would be busy if there
 * were no end of them. Waiting times are given and returned in mean service
 * times: with calls of 200 ms, 0.5 is 100 ms.
 *
 * ## Numbers
 *
 * A NaN, an infinity or a number out of its range is #TTB_ERR_RANGE; no result
 * is ever a NaN or infinite. Results below #TTB_PLAN_TINY come out as 0.
 * Every double result is within one part in 10^10 of the stated formula for the
 * doubles given; of a chain or group of n parts, n parts in 10^15 if that is
 * more; a fit is as good as its data. They come of additions, multiplications, divisions and square
 * roots alone, no other function of libm, and are the same bits wherever
 * double arithmetic is IEEE 754's (FLT_EVAL_METHOD 0); where it is wider (x87)
 * they may differ within that bound. Whole-number answers are the same, but for
 * inputs within that bound of an edge.
 */
#ifndef TRIMTAB_PLAN_H
#define TRIMTAB_PLAN_H

#include <trimtab/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The most servers, replicas or spares any function speaks of. */
#define TTB_PLAN_MAX 10000000

/** Probabilities below this come out as 0 and cannot be asked for. */
#define TTB_PLAN_TINY 1e-290

/** The largest rate, price or ratio taken. */
#define TTB_PLAN_HUGE 1e15

/** The most unlike servers that ttb_plan_k_of_unlike takes. */
#define TTB_PLAN_MAX_UNLIKE 1024

/** Seconds of a year of 365 days. */
#define TTB_PLAN_YEAR_S 31536000

/* ---- availability ---- */

/**
 * @brief How long fewer than k of n like servers are up.
 *
 * The servers fail independently, but for a part of their down time that they
 * all share: one power feed, one bad release, one expired certificate. With
 * c = common * down and i = (down - c) / (1 - c), so that each server by itself
 * is down exactly `down`:
 *
 *     c + (1 - c) * sum over j = n-k+1..n of C(n,j) i^j (1-i)^(n-j)
 *
 * Sources: the binomial tail; the beta-factor model (Fleming 1975; IEC 61508-6
 * annex D), which is usually written with i = (1 - common) * down, less by a
 * part c.
 * @param n        servers there are, 1..TTB_PLAN_MAX
 * @param k        servers that are needed, 0..n; nothing needed is never down
 * @param down     share of time each is down, 0..1
 * @param common   share of that which all have in common, 0..1; 0 if they are
 *                 independent, which few are: IEC 61508-6 has 0.005 to 0.1
 * @param ret_down share of time fewer than k are up, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, at most a few 100,000 steps @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_k_of_n(uint32_t n, uint32_t k, double down, double common,
                                double *ret_down);

/**
 * @brief How long fewer than k of n independent servers are up that are not alike.
 *
 * The Poisson binomial distribution, by adding one server after the other
 * (Barlow and Heidtmann 1984, "Computing k-out-of-n system reliability").
 * @param downs    n shares of time, each 0..1
 * @param n        servers there are, 1..TTB_PLAN_MAX_UNLIKE
 * @param k        servers that are needed, 0..n
 * @param ret_down share of time fewer than k are up, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, n * min(k, n-k+1) steps, 4 KiB of stack
 * @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_k_of_unlike(const double *downs, uint32_t n, uint32_t k,
                                     double *ret_down);

/**
 * @brief How long a chain is down that needs every one of its parts:
 *        1 - (1 - d1)(1 - d2)...
 * @param downs    n shares of time, each 0..1
 * @param n        parts, 1..TTB_PLAN_MAX
 * @param ret_down share of time some part is down, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, n steps @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_series(const double *downs, uint32_t n, double *ret_down);

/**
 * @brief How long a group is down any one of which suffices: d1 * d2 * ...
 * @param downs    n shares of time, each 0..1
 * @param n        parts, 1..TTB_PLAN_MAX
 * @param ret_down share of time all are down, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, n steps @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_parallel(const double *downs, uint32_t n, double *ret_down);

/**
 * @brief Seconds a year of 365 days for a share of time.
 * @param down        share of time, 0..1
 * @param ret_seconds seconds, 0..TTB_PLAN_YEAR_S
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_downtime(double down, double *ret_seconds);

/**
 * @brief The share of time for seconds a year of 365 days.
 * @param seconds  0..TTB_PLAN_YEAR_S
 * @param ret_down share of time, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_down(double seconds, double *ret_down);

/**
 * @brief The fewest replicas that are good enough: the smallest n for which
 *        ttb_plan_k_of_n(n, k, down, common) is at most `target`.
 * @param k      replicas that carry the load, 1..TTB_PLAN_MAX
 * @param down   share of time each is down, 0..1
 * @param common share of that which all have in common, 0..1
 * @param target share of time that may be lost, TTB_PLAN_TINY..1
 * @return n, k..TTB_PLAN_MAX; TTB_LIMIT (no number is enough: what they have in
 *         common is more than the target, or n would be above TTB_PLAN_MAX);
 *         TTB_ERR_RANGE
 * @threads any @progress wait-free, some fifty calls of ttb_plan_k_of_n
 * @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_replicas(uint32_t k, double down, double common, double target);

/* ---- capacity and cost ---- */

/**
 * @brief How full n servers may be so that the rest can take over when some
 *        fail: (n - failures) / n.
 * @param n               servers, 1..TTB_PLAN_MAX
 * @param failures        how many may fail at once, 0..n-1
 * @param ret_utilisation 0..1, of what a server can do
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_safe_utilisation(uint32_t n, uint32_t failures, double *ret_utilisation);

/**
 * @brief How full the rest are when some fail: utilisation * n / (n - failures).
 * @param n               servers, 1..TTB_PLAN_MAX
 * @param failures        how many fail, 0..n-1
 * @param utilisation     how full each is before, 0..TTB_PLAN_HUGE; 1 is full
 * @param ret_utilisation how full the others would be; above 1 they are overloaded
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_utilisation_after(uint32_t n, uint32_t failures, double utilisation,
                                           double *ret_utilisation);

/**
 * @brief Servers for a load, and spares: ceil(load / capacity) + spares.
 *
 * A shortage of less than one part in 10^9 is none: 1.1 / 0.1 is a little more
 * than 11 in doubles and asks for 11.
 * @param load     what has to be carried, 0..TTB_PLAN_HUGE
 * @param capacity what one carries, in the same unit, above 0..TTB_PLAN_HUGE
 * @param spares   how many more, 0..TTB_PLAN_MAX
 * @return 0..TTB_PLAN_MAX; TTB_LIMIT (more than that); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_n_plus_k(double load, double capacity, uint32_t spares);

/**
 * @brief What they cost: price * ttb_plan_n_plus_k(load, capacity, spares).
 *
 * One large server is the case of a capacity that carries the whole load.
 * @param load     as there
 * @param capacity as there
 * @param spares   as there
 * @param price    of one, 0..TTB_PLAN_HUGE
 * @param ret_cost in the unit of the price
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_LIMIT; TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_cost(double load, double capacity, uint32_t spares, double price,
                              double *ret_cost);

/**
 * @brief Where two offers break even: the most spares for which
 *        ttb_plan_cost is not above a budget.
 *
 * An excess of less than one part in 10^9 is none.
 * @param load     as there
 * @param capacity as there
 * @param price    of one, above 0..TTB_PLAN_HUGE
 * @param budget   what the other offer costs, 0..TTB_PLAN_HUGE
 * @return spares, 0..TTB_PLAN_MAX (no more than TTB_PLAN_MAX servers in all);
 *         TTB_LIMIT (the load alone costs more, or takes more than
 *         TTB_PLAN_MAX); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_spares(double load, double capacity, double price, double budget);

/* ---- the universal scalability law ---- */

/**
 * @brief What n replicas get done, if some work is done by one at a time and
 *        all have to agree with all.
 *
 *     X(n) = rate * n / (1 + contention * (n - 1) + coherency * n * (n - 1))
 *
 * Source: Gunther 1993, "A simple capacity model of massively parallel
 * transaction systems"; Gunther 2007, "Guerrilla Capacity Planning" (there
 * gamma, sigma or alpha, kappa or beta). Without coherency it is Amdahl's law.
 * @param rate           what one does alone, above 0..TTB_PLAN_HUGE, any unit
 * @param contention     share of the work that is serial, 0..TTB_PLAN_HUGE
 * @param coherency      cost of a pair, 0..TTB_PLAN_HUGE
 * @param n              replicas, 1..TTB_PLAN_MAX
 * @param ret_throughput in the unit of rate
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_usl_throughput(double rate, double contention, double coherency,
                                        uint32_t n, double *ret_throughput);

/**
 * @brief The law that fits measurements best.
 *
 * Least squares on the form in which the law is linear (Gunther 2007):
 *
 *     n / X = 1/rate + contention/rate * (n - 1) + coherency/rate * n(n - 1)
 *
 * of relative errors (each residual divided by its n / X, since throughputs are
 * measured to a share of themselves; unweighted, one point far behind the peak
 * would outweigh all others), with neither contention nor coherency below 0:
 * what measures better than linear is fitted as linear. If nothing but an
 * infinite rate would fit best, the best of the simpler laws is taken. Two different n fit Amdahl's law (coherency 0);
 * for the whole law three are needed, and Gunther advises six. A fit always
 * comes out: compare ttb_plan_usl_throughput with what was measured before
 * believing it, and do not believe it far beyond the largest n.
 * @param replicas       count numbers of replicas, each 1..TTB_PLAN_MAX
 * @param throughputs    what each did, 1/TTB_PLAN_HUGE..TTB_PLAN_HUGE
 * @param count          measurements, 2..TTB_PLAN_MAX, with at least two different n
 * @param ret_rate       what one does alone
 * @param ret_contention 0 or more
 * @param ret_coherency  0 or more
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE (also: all n are equal,
 *         or the best law is none that ttb_plan_usl_throughput would take)
 * @threads any @progress wait-free, some passes over the arrays @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_usl_fit(const double *replicas, const double *throughputs, uint32_t count,
                                 double *ret_rate, double *ret_contention, double *ret_coherency);

/**
 * @brief How many replicas get the most done; a further one makes it slower, or
 *        no faster.
 *
 * The smallest n with coherency * n(n + 1) >= 1 - contention: the whole number
 * that belongs to Gunther's sqrt((1 - contention) / coherency).
 * @param contention 0..TTB_PLAN_HUGE
 * @param coherency  0..TTB_PLAN_HUGE
 * @return 1..TTB_PLAN_MAX; TTB_LIMIT (it still grows there); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_usl_peak(double contention, double coherency);

/**
 * @brief The throughput that no number of replicas exceeds.
 *
 * That at the peak; without coherency rate / contention, which is approached
 * and never reached (Amdahl 1967).
 * @param rate           above 0..TTB_PLAN_HUGE
 * @param contention     0..TTB_PLAN_HUGE
 * @param coherency      0..TTB_PLAN_HUGE
 * @param ret_throughput in the unit of rate
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_LIMIT (there is none within
 *         TTB_PLAN_MAX * rate); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_usl_limit(double rate, double contention, double coherency,
                                   double *ret_throughput);

/**
 * @brief The fewest replicas that get a throughput done, by the law.
 *
 * A shortage of less than one part in 10^9 is none.
 * @param rate       above 0..TTB_PLAN_HUGE
 * @param contention 0..TTB_PLAN_HUGE
 * @param coherency  0..TTB_PLAN_HUGE
 * @param throughput wanted, above 0..TTB_PLAN_HUGE
 * @return 1..TTB_PLAN_MAX; TTB_LIMIT (no number does it); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_usl_replicas(double rate, double contention, double coherency,
                                      double throughput);

/* ---- queues ---- */

/**
 * @brief Erlang B: how many calls are turned away by servers without a queue
 *        (a full pool of connections, a bulkhead).
 *
 *     B = (a^n / n!) / (sum over j = 0..n of a^j / j!)
 *
 * Arrivals are Poisson, service times any. Sources: Erlang 1917; computed as
 * 1/B = 1 + n/a * (1 + (n-1)/a * (...)), the recursion of Jagerman 1974, "Some
 * properties of the Erlang loss function", from its outer end.
 * @param load        erlang, 0..TTB_PLAN_MAX
 * @param servers     0..TTB_PLAN_MAX
 * @param ret_blocked share of calls, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, about 75 * sqrt(servers) steps at the worst
 * @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_erlang_b(double load, uint32_t servers, double *ret_blocked);

/**
 * @brief Erlang C: how many calls have to wait, in front of servers with one
 *        endless queue.
 *
 *     C = n B / (n - a (1 - B))
 *
 * Arrivals are Poisson, service times exponential. Source: Erlang 1917.
 * @param load      erlang, 0..TTB_PLAN_MAX
 * @param servers   0..TTB_PLAN_MAX
 * @param ret_waits share of calls, 0..1; 1 if there are no more servers than
 *                  load: the queue then grows without end
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, as ttb_plan_erlang_b @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_erlang_c(double load, uint32_t servers, double *ret_waits);

/**
 * @brief The mean wait of all calls, also those that do not wait: C / (n - a).
 * @param load     erlang, 0..TTB_PLAN_MAX
 * @param servers  0..TTB_PLAN_MAX
 * @param ret_wait in mean service times
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_LIMIT (no more servers than load:
 *         the queue grows without end); TTB_ERR_RANGE
 * @threads any @progress wait-free, as ttb_plan_erlang_b @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_wait(double load, uint32_t servers, double *ret_wait);

/**
 * @brief How many calls wait longer than a time: C * exp(-(n - a) * wait).
 *
 * Waiting only, without the service; first come, first served.
 * @param load      erlang, 0..TTB_PLAN_MAX
 * @param servers   0..TTB_PLAN_MAX
 * @param wait      in mean service times, 0..TTB_PLAN_HUGE; 0: who waits at all
 * @param ret_share share of calls, 0..1; 1 if there are no more servers than load
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free, as ttb_plan_erlang_b @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_wait_over(double load, uint32_t servers, double wait, double *ret_share);

/**
 * @brief The fewest servers for a latency target: the smallest n above the load
 *        for which ttb_plan_wait_over(load, n, wait) is at most `share`.
 * @param load  erlang, 0..TTB_PLAN_MAX; no load needs no server
 * @param wait  in mean service times, 0..TTB_PLAN_HUGE; 0: who waits at all
 * @param share of calls that may wait longer, TTB_PLAN_TINY..1
 * @return 0..TTB_PLAN_MAX; TTB_LIMIT (more than that); TTB_ERR_RANGE
 * @threads any @progress wait-free, about 150 * sqrt(load) steps at the worst
 * @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_servers(double load, double wait, double share);

/**
 * @brief The fewest servers without a queue that turn away few enough: the
 *        smallest n for which ttb_plan_erlang_b(load, n) is at most `share`.
 * @param load  erlang, 0..TTB_PLAN_MAX; no load needs no server
 * @param share of calls that may be turned away, TTB_PLAN_TINY..1
 * @return 0..TTB_PLAN_MAX; TTB_LIMIT (more than that); TTB_ERR_RANGE
 * @threads any @progress wait-free, about 150 * sqrt(load) steps at the worst
 * @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_servers_blocked(double load, double share);

/**
 * @brief Square-root staffing: ceil(load + beta * sqrt(load)).
 *
 * The rule of thumb for many servers; ttb_plan_servers is exact. Sources:
 * Erlang 1924; Halfin and Whitt 1981, "Heavy-traffic limits for queues with
 * many exponential servers".
 * @param load erlang, 0..TTB_PLAN_MAX
 * @param beta how generous, 0..37; 1 leaves about a fifth of the calls waiting
 * @return 0..TTB_PLAN_MAX; TTB_LIMIT (more than that); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_square_root(double load, double beta);

/**
 * @brief How many calls wait under square-root staffing, in the limit of many
 *        servers: 1 / (1 + beta * Phi(beta) / phi(beta)), Phi and phi being the
 *        normal distribution and its density (Halfin and Whitt 1981).
 * @param beta      0..37
 * @param ret_waits share of calls, 0..1
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_beta_waits(double beta, double *ret_waits);

/**
 * @brief The beta for a share of calls that may wait: the inverse of
 *        ttb_plan_beta_waits.
 * @param waits    share of calls, TTB_PLAN_TINY..1
 * @param ret_beta 0..37
 * @return TTB_OK; TTB_ERR_MISUSE (NULL); TTB_ERR_RANGE
 * @threads any @progress wait-free @alloc none @since 0.1
 */
TTB_API int32_t ttb_plan_beta(double waits, double *ret_beta);

#ifdef __cplusplus
}
#endif
#endif
