/* Work that blocks, offloaded, while a ticker goes on.
 *
 * A call that blocks its thread (a library that reads files, a name look-up, a long computation) would stop its
 * loop and every task on it. hd_blocking runs it on a thread of the pool, and awaits it like anything else: it is
 * asyncio's to_thread. This runtime has one loop only, so that there is nowhere to hide. */
#include <heddle.h>

#include <stdio.h>
#include <time.h>

/* Any C function will do. It knows nothing of tasks, and must not await. */
static int64_t slow_sum(void *arg) {
    int64_t sum = 0, *numbers = arg;
    for (int i = 0; i < 4; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL); /* a slow disk, say */
        sum += numbers[i];
    }
    return sum;
}

static int64_t tick(void *arg) {
    int *ticks = arg;
    for (;;) {
        int code = hd_sleep(HD_MS(10));
        if (code) /* cancelled */
            return code;
        ++*ticks;
    }
}

static int64_t root(void *arg) {
    (void)arg;
    int ticks = 0;
    int64_t numbers[] = {3, 5, 8, 13}; /* on our stack: hd_blocking returns only when the call has ended */
    hd_task *ticker = hd_spawn(tick, &ticks);
    if (!ticker)
        return HD_ENOMEM;

    int64_t sum = hd_blocking(HD_POOL_USER, slow_sum, numbers);

    hd_cancel(ticker);
    int64_t ended = hd_join(ticker);
    if (sum < 0 || ended != HD_ECANCELED)
        return sum < 0 ? sum : ended;
    printf("the sum is %lld, and the ticker ticked %d times meanwhile\n", (long long)sum, ticks);
    return sum == 29 && ticks > 0 ? 0 : hd_fail(HD_EINVAL, "that should have been 29");
}

int main(void) {
    int64_t code = hd_run(&(hd_runtime_options){.loops = 1}, root, NULL);
    if (code < 0)
        fprintf(stderr, "offload: %s\n", hd_strerror(code));
    return code < 0;
}
