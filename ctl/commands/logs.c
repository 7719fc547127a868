/* heddlectl logs: what a job wrote, on the stream it wrote it to. */
#include "command.h"
#include "streams.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOBODY_READS = -1 /* `logs 12 | head`: that is no failure */ };

struct logs_values {
    bool follow;
};

static json_t *chunk_json(const wire_chunk *chunk) {
    char *text = must(malloc(chunk->bytes.length + 1));
    memcpy(text, chunk->bytes.data, chunk->bytes.length);
    text[chunk->bytes.length] = '\0';
    json_t *string = json_stringn(text, chunk->bytes.length);
    free(text);
    if (string == NULL) {
        char *mended = must(text_replace_malformed((const char *)chunk->bytes.data, chunk->bytes.length));
        string = json_string(mended);
        free(mended);
    }
    return json_pack("{s:s, s:o, s:o}", "stream", chunk->is_stderr ? "stderr" : "stdout", "text",
                     must(string), "gap_bytes", render_number(chunk->gap));
}

/* EXIT_OK; or EXIT_FAILED with the reason said; or NOBODY_READS. */
static int print(const struct cli *cli, const wire_reply *reply, render_list *list) {
    const wire_chunk *chunks = reply->u.logs.chunks;
    if (cli->format == RENDER_TABLE) {
        int fd, code = streams_write(chunks, reply->u.logs.count, &fd, NULL, NULL);
        if (code == 0 || code == EPIPE)
            return code == 0 ? EXIT_OK : NOBODY_READS;
        say("cannot write to %s: %s", fd == STDOUT_FILENO ? "stdout" : "stderr", strerror(code));
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < reply->u.logs.count; i++)
        render_list_item(list, chunk_json(&chunks[i]));
    return fflush(stdout) == 0 ? EXIT_OK : render_finish(EXIT_OK);
}

static int logs_run(struct cli *cli) {
    const struct logs_values *values = cli->values;
    wire_request request = {.verb = WIRE_LOGS, .u.logs.follow = values->follow};
    if (!select_one(&request.u.logs.id, cli->operands, cli->operand_count, &cli->reading))
        return cli_usage(cli);
    render_list list = {0, cli->format};
    if (cli->format == RENDER_TABLE)
        signal(SIGPIPE, SIG_IGN);
    for (bool more = true; more;) {
        wire_reply *reply;
        int status = cli_ask(cli, &request, values->follow ? CLIENT_FOREVER_NS : CLIENT_PATIENCE_NS, &reply);
        if (status != EXIT_OK)
            return status;
        status = print(cli, reply, &list);
        more = !reply->u.logs.end && (values->follow || reply->u.logs.count > 0);
        request.u.logs.offset = reply->u.logs.next;
        wire_reply_free(reply);
        if (status != EXIT_OK)
            return status == NOBODY_READS ? EXIT_OK : status;
    }
    if (cli->format != RENDER_TABLE)
        render_list_end(&list);
    return EXIT_OK;
}

static const struct option_row logs_options[] = {
    {"follow", 'f', &option_flag, offsetof(struct logs_values, follow), "go on until the job has ended"},
    {0}};

static const option_set logs_sets[] = {
    {"Options", logs_options, 0, OPTIONS_OF_VERB}, CLI_OPTIONS_FORMAT, CLI_OPTIONS, {0}};

const struct command command_logs = {
    .name = "logs",
    .operands = "ID",
    .summary = "print what a job wrote",
    .details = "Its stdout comes to stdout and its stderr to stderr, byte by byte. Of long output the\n"
               "service keeps the head and the tail; what is missing in between is said on stderr.\n"
               "As JSON, each piece has its stream, its text (malformed UTF-8 replaced), and how many\n"
               "bytes are missing before it.\n",
    .examples = "heddlectl logs 12\n"
                "heddlectl logs -f 12 2>/dev/null\n"
                "heddlectl logs 12 -o jsonl | jq -r 'select(.stream == \"stderr\").text'\n",
    .sets = logs_sets,
    .values_bytes = sizeof(struct logs_values),
    .run = logs_run};
