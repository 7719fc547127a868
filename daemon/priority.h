/* The service answers while its jobs compute: the threads that take requests in and answer them go before those that run jobs
 * (SCHED_RR, the lowest such priority), where the system lets them. Each works for a fraction of a millisecond at a time.
 *
 * Without it, a request waits its turn behind jobs on every core at each of some ten steps. Where the kernel shares cores
 * between groups (one for each service, or session) one request in fifty then took 50 to 200 ms; with it, the slowest of a
 * thousand 8 (docs/decisions/0015-requests-go-before-jobs.md). */
#ifndef HEDDLED_PRIORITY_H
#define HEDDLED_PRIORITY_H

/* The calling thread goes before others from now on, and so do threads that it makes. */
void priority_raise(void);

/* It does so alone: what it makes, it makes as others do. */
void priority_raise_alone(void);

/* It does not any more. */
void priority_lower(void);

/* Nothing of this process, and none of its children, may do so from now on, but for what does already. */
void priority_forgo(void);

#endif
