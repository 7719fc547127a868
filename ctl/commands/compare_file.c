/* See compare_file.h. All lines are read before the first job is submitted: half a workload is none. */
#include "compare_file.h"

#include "lines.h"
#include "submission.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct own_jobs {
    wire_job *jobs;
    size_t count, room;
};

static bool is_blank(const char *line, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (!strchr(" \t\r", line[i]))
            return false;
    }
    return true;
}

static int add_line(struct cli *cli, struct own_jobs *own, const spec_source *source, uint64_t number,
                    const char *line, size_t length) {
    if (is_blank(line, length))
        return EXIT_OK;
    if (own->count == own->room) {
        own->room = own->room > 0 ? own->room * 2 : 64;
        own->jobs = must(realloc(own->jobs, own->room * sizeof *own->jobs));
    }
    if (spec_build_json(&own->jobs[own->count++], line, length, source, &cli->reading))
        return EXIT_OK;
    say("line %" PRIu64 ": %s", number, cli->reading.problem);
    return EXIT_USAGE;
}

static int read_lines(struct cli *cli, struct own_jobs *own, const spec_source *source, struct lines *lines) {
    const char *line;
    size_t length;
    int status = EXIT_OK;
    while (status == EXIT_OK) {
        switch (lines_next(lines, -1, &line, &length)) {
        case LINES_LINE: status = add_line(cli, own, source, lines->number, line, length); break;
        case LINES_IDLE: break;
        case LINES_END: return EXIT_OK;
        case LINES_FAILED:
            say("line %" PRIu64 " cannot be read: %s", lines->number + 1, strerror(errno));
            return EXIT_FAILED;
        case LINES_TOO_LONG:
            say("line %" PRIu64 " has more than %d bytes", lines->number + 1, LINES_LONGEST);
            return EXIT_USAGE;
        }
    }
    return status;
}

int compare_file_read(struct cli *cli, const char *path, wire_job **jobs, size_t *count) {
    bool from_stdin = strcmp(path, "-") == 0;
    struct lines lines = {.fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
    if (lines.fd < 0)
        return cli_usagef(cli, "\"%s\" cannot be read: %s", path, strerror(errno));
    spec_source source = {.directory = submission_directory(&cli->memory), .stdin_taken = from_stdin};
    struct own_jobs own = {0};
    int status = read_lines(cli, &own, &source, &lines);
    if (status == EXIT_OK && own.count == 0)
        status = cli_usagef(cli, "\"%s\": there is no job in it", path);
    lines_fini(&lines);
    if (!from_stdin)
        close(lines.fd);
    *jobs = own.jobs;
    *count = own.count;
    return status;
}
