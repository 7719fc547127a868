/* Reports of stuck workers: made and delivered by a thread of their own, which starts with the first.
 *
 * A thread that runs but had a core for less than half of the time, and for less than 10 ms, is not to blame, and is left
 * out. And there are not many of them: a task that was reported is reported again only when it is stuck twice as long (in the same
 * run: not before it has lasted a second), and all tasks together have BURST reports and one more every REFILL_NS; what
 * is withheld is counted in the next one. */
#ifndef HD_STUCK_H
#define HD_STUCK_H

#include "watch.h"

/* Before all others, and in a child after fork(). */
void hd_stuck_init(void);

/* Asks for a report on the run that `watch` was seen in. Does not wait; does nothing when too many are asked for. The
 * caller (the monitor) holds its lock, and calls hd_stuck_forget before the watch goes. */
void hd_stuck_post(hd_watch *watch);

/* Drops what was asked for `watch`, and waits for the report about it that is being made. */
void hd_stuck_forget(hd_watch *watch);

/* Ends the thread, if there is one. Nothing is being watched. */
void hd_stuck_stop(void);

#endif
