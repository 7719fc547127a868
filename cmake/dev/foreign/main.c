// A program that knows heddle from its installed header alone.
#include <heddle.h>
#include <stdio.h>

static int64_t answer(void *arg) {
    if (hd_sleep(HD_MS(1)) < 0)
        return HD_ECANCELED;
    return *(int *)arg;
}

static int64_t root(void *arg) {
    hd_task *task = hd_spawn(answer, arg);
    return task ? hd_join(task) : -errno;
}

int main(void) {
    int number = 42;
    int64_t result = hd_run(NULL, root, &number);
    if (result != 42)
        fprintf(stderr, "hd_run: %s\n", hd_strerror(result));
    return result == 42 ? 0 : 1;
}
