/* The simulator: one thread plays all workers of a runtime, under a virtual clock, as a seed says.
 *
 * An *actor* is a thread of execution, with a stack of its own, that stands for a thread of the system: one for each worker, and
 * one for the thread itself, on which the program that made the runtime goes on outside of it. One acts, and the others
 * stand still, until it *pauses*: at each event that is traced (trace.h), where it looks for work in vain, where it would have
 * to wait for a lock, and, in a build with HD_POINTS, before every atomic operation. Then the seed decides how
 * much time has gone by, and whether another one goes on, and who. To the code of the runtime this is what the system does to
 * threads: an actor may be interrupted anywhere but within the few primitives of the system that block, so all
 * interleavings are legal ones, and what the seed is for is to find rare ones.
 *
 * What a seed chooses once, its *temper*: how long actors act without interruption; how often and how long one is kept from
 * its core; how long a parked one takes to wake; how time goes by. When all actors are parked or kept, the clock goes on to
 * when the first of them may act.
 *
 * Nothing here depends on addresses, on the real clock or on the system; so the same seed and the same program give the same
 * sequence of events, which the hash sums up.
 *
 * ThreadSanitizer takes actors for threads that nothing orders but what they do themselves, so it sees races among
 * workers as if these ran at the same time; it is not shown what the simulator itself reads and writes.
 *
 * All of it is for the thread that made the simulator, unless it says otherwise. */
#ifndef HD_SIM_H
#define HD_SIM_H

#include "here.h"
#include "stack.h"

typedef struct hd_sim hd_sim;

/* For `workers` actors and the calling thread, whose time is virtual from now on. NULL: no memory. */
hd_sim *hd_sim_create(uint64_t seed, uint32_t workers);

/* All actors but the thread itself have ended, or none was started. NULL is fine. */
void hd_sim_destroy(hd_sim *sim);

/* Is this the thread on which it lives? Any thread. */
bool hd_sim_is_here(const hd_sim *sim);

/* Another thread that comes where it cannot be refused ends the process. Any thread. */
void hd_sim_insist(const hd_sim *sim);

/* From now on actor `index` runs entry(arg) on this stack, as the worker `here`. */
void hd_sim_start(hd_sim *sim, uint32_t index, hd_here *here, hd_stack stack, void (*entry)(void *),
                  void *arg);

/* The acting worker sleeps until the deadline, or until it is kicked. A kick before it sleeps ends its next sleep at once. */
void hd_sim_park(hd_sim *sim, uint64_t deadline_ns);
void hd_sim_kick(hd_sim *sim, uint32_t index);

/* The acting one does nothing of interest for so long. */
void hd_sim_pass(hd_sim *sim, uint64_t ns);

/* The thread itself waits until `happened`, or until the deadline. 0, HD_ETIMEDOUT, or HD_EDEADLK: every actor sleeps
 * without a deadline. HD_EINVAL: it is not the thread that acts. */
int hd_sim_wait(hd_sim *sim, bool (*happened)(void *arg), void *arg, uint64_t deadline_ns);

/* Have all workers ended? */
bool hd_sim_is_over(void *sim);

/* Something has happened, which these words tell; then a pause. */
void hd_sim_note(hd_sim *sim, uint64_t what, uint64_t who, uint64_t detail);

uint64_t hd_sim_hash(const hd_sim *sim);
uint64_t hd_sim_seed(const hd_sim *sim);

/* The bounds of the acting one's own stack, for the sanitizers' sake. */
hd_stack hd_sim_stack(const hd_sim *sim);

/* Task ids come from here: the same in each run, counted from the first. */
uint64_t hd_sim_ids(hd_sim *sim, uint64_t count);
uint64_t hd_sim_relative_id(const hd_sim *sim, uint64_t id);

#endif
