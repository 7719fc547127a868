/* Clients that follow the output of jobs. There are few of them at a time, so a list does. */
#include "jobs.h"

#include <stdlib.h>

static struct reader *find_reader(struct jobs *jobs, const struct job *job, uint64_t client) {
    for (struct links *at = jobs->readers.next; at != &jobs->readers; at = at->next) {
        struct reader *reader = links_item(at, struct reader, link);
        if (reader->job == job && reader->client == client)
            return reader;
    }
    return NULL;
}

bool jobs_follows(struct jobs *jobs, const struct job *job, uint64_t client) {
    return find_reader(jobs, job, client) != NULL;
}

size_t jobs_followed(const struct jobs *jobs, uint64_t client) {
    size_t count = 0;
    for (const struct links *at = jobs->readers.next; at != &jobs->readers; at = at->next)
        count += links_item(at, struct reader, link)->client == client;
    return count;
}

bool jobs_follow(struct jobs *jobs, struct job *job, uint64_t client, uint64_t offset) {
    struct output *output = output_at(&job->output, &jobs->outputs);
    struct reader *reader = find_reader(jobs, job, client);
    if (!output)
        return false;
    if (reader) {
        output_acknowledge(output, &reader->follower, offset);
        return true;
    }
    if (!(reader = calloc(1, sizeof *reader)))
        return false;
    reader->job = job;
    reader->client = client;
    jobs_pin(job);
    links_append(&jobs->readers, &reader->link);
    hd_event_clear(jobs->unread);
    output_follow(output, &reader->follower, offset);
    return true;
}

static void end_reader(struct jobs *jobs, struct reader *reader) {
    output_unfollow(job_output(reader->job), &reader->follower);
    links_remove(&reader->link);
    if (links_empty(&jobs->readers))
        hd_event_set(jobs->unread);
    jobs_unpin(jobs, reader->job);
    free(reader);
}

void jobs_unfollow(struct jobs *jobs, struct job *job, uint64_t client) {
    struct reader *reader = find_reader(jobs, job, client);
    if (reader)
        end_reader(jobs, reader);
}

void jobs_unfollow_all(struct jobs *jobs, uint64_t client) {
    struct links *at = jobs->readers.next;
    while (at != &jobs->readers) {
        struct reader *reader = links_item(at, struct reader, link);
        at = at->next;
        if (reader->client == client)
            end_reader(jobs, reader);
    }
}
