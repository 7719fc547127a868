/* Three fetches at once.
 *
 * In asyncio:                                      Here:
 *
 *     async def main():                                int64_t root(void *arg) {
 *         a, b, c = await gather(                          for each: tasks[i] = hd_spawn(fetch, ...);
 *             fetch(1), fetch(2), fetch(3))                hd_gather(tasks, 3, results);
 *     asyncio.run(main())                              hd_run(NULL, root, NULL);
 *
 * So that this runs anywhere, a small server in the same program answers, each time after a tenth of a second. The
 * three fetches take a tenth of a second together. */
#include <heddle.h>

#include <stdio.h>
#include <string.h>

enum { FETCHES = 3 };

/* ---- the server ---- */

static int64_t answer(void *arg) {
    int connection = (int)(intptr_t)arg;
    static const char reply[] = "HTTP/1.0 200 OK\r\n\r\nfrom the loom\n";
    char request[1024];
    ssize_t code = hd_read(connection, request, sizeof request);
    if (code > 0)
        code = hd_sleep(HD_MS(100)); /* this task sleeps; its thread serves the others meanwhile */
    if (code >= 0)
        code = hd_write_all(connection, reply, sizeof reply - 1);
    hd_close(connection);
    return code < 0 ? code : 0;
}

static int64_t serve(void *arg) {
    int listener = *(int *)arg;
    for (;;) {
        int connection = hd_accept(listener, NULL, NULL);
        if (connection < 0)
            return connection; /* cancelled: the program is done */
        hd_task *task = hd_spawn(answer, (void *)(intptr_t)connection);
        if (!task)
            hd_close(connection);
        hd_release(task); /* it goes on without our handle */
    }
}

/* ---- the client ---- */

typedef struct fetch_job {
    uint16_t port;
    char body[256];
} fetch_job;

/* A task is a plain function. It waits in plain calls, and returns a number: negative is an error. */
static int64_t fetch(void *arg) {
    fetch_job *job = arg;
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    int connection = hd_tcp_connect("127.0.0.1", job->port, HD_NEVER);
    if (connection < 0)
        return hd_fail(connection, "cannot connect to port %u", job->port);

    ssize_t got = hd_write_all(connection, request, sizeof request - 1);
    size_t bytes = 0;
    while (got > 0 && bytes < sizeof job->body - 1) {
        got = hd_read(connection, job->body + bytes, sizeof job->body - 1 - bytes);
        if (got > 0)
            bytes += (size_t)got;
    }
    hd_close(connection);
    job->body[bytes] = '\0';
    return got < 0 ? got : (int64_t)bytes;
}

/* The root task: what asyncio.run is given. */
static int64_t root(void *arg) {
    (void)arg;
    int listener = hd_tcp_listen("127.0.0.1", 0, 16);
    if (listener < 0)
        return listener;
    hd_task *server = hd_spawn(serve, &listener);

    uint64_t start_ns = hd_now();
    fetch_job jobs[FETCHES] = {0};
    hd_task *tasks[FETCHES];
    int64_t results[FETCHES];
    for (int i = 0; i < FETCHES; i++) {
        jobs[i].port = (uint16_t)hd_tcp_port(listener);
        tasks[i] = hd_spawn(fetch, &jobs[i]);
        if (!server || !tasks[i])
            return HD_ENOMEM;
    }
    int64_t code = hd_gather(tasks, FETCHES, results);

    for (int i = 0; i < FETCHES; i++) {
        const char *body = strstr(jobs[i].body, "\r\n\r\n");
        if (code == 0)
            printf("fetch %d: %lld bytes, %s", i + 1, (long long)results[i], body ? body + 4 : "\n");
        hd_release(tasks[i]);
    }
    printf("all of them in %llu ms\n", (unsigned long long)((hd_now() - start_ns) / HD_MS(1)));

    hd_cancel(server); /* its hd_accept returns HD_ECANCELED */
    int64_t ended = hd_join(server);
    hd_close(listener);
    return code ? code : ended == HD_ECANCELED ? 0 : ended;
}

int main(void) {
    int64_t code = hd_run(NULL, root, NULL);
    if (code < 0)
        fprintf(stderr, "fetches: %s\n", hd_strerror(code));
    return code < 0;
}
