#include "shell.h"

#include "script.h"

#include <stdlib.h>

struct shell *shell_create(struct job *job) {
    struct shell *shell = calloc(1, sizeof *shell);
    if (!shell)
        return NULL;
    links_init(&shell->link);
    shell->job = job;
    shell->lines = script_lines_create();
    if (shell->lines)
        return shell;
    free(shell);
    return NULL;
}

void shell_destroy(struct shell *shell) {
    if (!shell)
        return;
    links_remove(&shell->link);
    script_lines_destroy(shell->lines);
    free(shell);
}

void shell_begin(struct jobs *jobs, struct shell *shell, uint64_t client) {
    shell->client = client;
    links_append(&jobs->shells, &shell->link);
}

void shell_end(struct shell *shell) {
    links_remove(&shell->link);
    script_lines_close(shell->lines);
}

void shells_leave(struct jobs *jobs, uint64_t client) {
    struct links *at = jobs->shells.next;
    while (at != &jobs->shells) {
        struct shell *shell = links_item(at, struct shell, link);
        at = at->next; /* cancelling may end it */
        if (shell->client == client)
            jobs_cancel(jobs, shell->job, 0);
    }
}
