/*
 * The transport suite: what it costs to bring bytes to a spillwayd on this machine and back, over its unix socket and
 * over loopback TCP. Figures: transport/<what is done>/<endpoint>/<size>/<what>.
 *
 * put and get move tensors in the format `raw`, so that the road is measured and not the codec; spill and fetch move
 * them as a trainer would, losslessly encoded. memcpy of the same bytes and a bare ping-pong of the same bytes take
 * turns with them, by wall clock.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spillway/client.h>

#include "tests/bench/bench.h"
#include "tests/bench/data.h"
#include "tests/bench/pingpong.h"
#include "tests/bench/server.h"

#define SERVER_MEMORY "1G"

/* Enough rounds that a percentile of a hundred means something where a round is short. */
static const struct size {
    const char *name;
    size_t len_bytes;
    unsigned rounds; /* per run */
} sizes[] = {
    {"4K", 4u << 10, 300}, {"64K", 64u << 10, 100}, {"1M", 1u << 20, 20},
    {"16M", 16u << 20, 3}, {"256M", 256u << 20, 1},
};

#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])
#define ROUNDS_MAX 300

/* What is done, and the format it is done in. */
enum { PUT, GET, SPILL, FETCH, ACTION_COUNT };

static const struct {
    const char *name, *format;
    bool in;
} actions[ACTION_COUNT] = {
    [PUT] = {"put", "raw", true},
    [GET] = {"get", "raw", false},
    [SPILL] = {"spill", "lossless", true},
    [FETCH] = {"fetch", "lossless", false},
};

static const char *const figures[] = {"mb_s", "vs_memcpy", "p50_us", "p99_us", "p50_vs_pingpong"};

#define FIGURE_COUNT (sizeof figures / sizeof figures[0])

struct transport {
    const struct bench *bench;
    struct pingpong game;
    const char *endpoint_name;
    sw_client *client;
    const struct size *size;
    uint8_t *src, *dst;
};

/* Microseconds of every round of every run, and the time of each run. */
struct timing {
    double *round_us;
    double run_us[BENCH_RUNS_MAX];
};

static void group_name(char *group, const char *action, const char *endpoint, const char *size)
{
    snprintf(group, BENCH_NAME_CAP, "transport/%s/%s/%s", action, endpoint, size);
}

static bool wants_group(const struct bench *bench, const char *group)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (bench_wants(bench, group, figures[i]))
            return true;
    return false;
}

static bool wants_size(const struct bench *bench, const char *endpoint, const char *size)
{
    char group[BENCH_NAME_CAP];
    for (int action = 0; action < ACTION_COUNT; action++) {
        group_name(group, actions[action].name, endpoint, size);
        if (wants_group(bench, group))
            return true;
    }
    return false;
}

/* Figures of a transport that fails would mean nothing. The server is stopped on the way out. */
static void must(int rc, const char *what, const struct sw_error *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, err ? err->text : strerror(-rc));
    exit(1);
}

/* A server short of room asks for patience; having it is part of what a put costs. */
static void put(const struct transport *t, const char *name, const char *format)
{
    struct sw_error err;
    uint64_t shape[] = {t->size->len_bytes / sizeof(float)};
    struct sw_put_args args = {.name = name, .dtype = SW_DTYPE_F32, .ndim = 1, .shape = shape, .format = format};
    int rc = sw_put(t->client, &args, t->src, NULL, &err);
    for (int try = 0; rc == SW_RETRY && try < 100; try++) {
        usleep(err.retry_after_ms * 1000);
        rc = sw_put(t->client, &args, t->src, NULL, &err);
    }
    must(rc, "put", &err);
}

static void get(const struct transport *t, const char *name)
{
    struct sw_error err;
    struct sw_get_args args = {.name = name};
    must(sw_get(t->client, &args, t->dst, t->size->len_bytes, NULL, NULL, &err), "get", &err);
}

/* One round of an action; each format has an object of its own that is put anew and again. */
static void act(const struct transport *t, int action)
{
    if (actions[action].in)
        put(t, actions[action].format, actions[action].format);
    else
        get(t, actions[action].format);
}

static void copy(const struct transport *t)
{
    memcpy(t->dst, t->src, t->size->len_bytes);
}

static void play(const struct transport *t)
{
    must(pingpong_round(&t->game, t->src, t->size->len_bytes), "ping-pong", NULL);
}

enum { CONTENDER_COPY = ACTION_COUNT, CONTENDER_PLAY, CONTENDER_COUNT };

static void one_round(const struct transport *t, int contender)
{
    if (contender == CONTENDER_COPY)
        copy(t);
    else if (contender == CONTENDER_PLAY)
        play(t);
    else
        act(t, contender);
}

static void one_run(const struct transport *t, int contender, struct timing *timing, unsigned run)
{
    uint64_t began = bench_wall_ns(), before = began;
    for (unsigned i = 0; i < t->size->rounds; i++) {
        one_round(t, contender);
        uint64_t now = bench_wall_ns();
        timing->round_us[run * t->size->rounds + i] = (double)(now - before) / 1000;
        before = now;
    }
    timing->run_us[run] = (double)(before - began) / 1000;
}

static void print_action(const struct transport *t, int action, struct timing *timings)
{
    char group[BENCH_NAME_CAP];
    double mb_s[BENCH_RUNS_MAX], vs_memcpy[BENCH_RUNS_MAX];
    const struct bench *bench = t->bench;
    struct timing *own = &timings[action], *ping = &timings[CONTENDER_PLAY];
    size_t rounds = (size_t)bench->runs * t->size->rounds;
    for (unsigned run = 0; run < bench->runs; run++) {
        mb_s[run] = (double)t->size->len_bytes * t->size->rounds / own->run_us[run];
        vs_memcpy[run] = timings[CONTENDER_COPY].run_us[run] / own->run_us[run];
    }
    double p50_us = bench_percentile(own->round_us, rounds, 0.5);
    group_name(group, actions[action].name, t->endpoint_name, t->size->name);
    bench_print(bench, group, "mb_s", bench_median(mb_s, bench->runs), "MB/s", "memcpy");
    bench_print(bench, group, "vs_memcpy", bench_median(vs_memcpy, bench->runs), "x", "memcpy");
    bench_print(bench, group, "p50_us", p50_us, "us", "pingpong");
    bench_print(bench, group, "p99_us", bench_percentile(own->round_us, rounds, 0.99), "us", "pingpong");
    bench_print(bench, group, "p50_vs_pingpong", p50_us / bench_percentile(ping->round_us, rounds, 0.5), "x",
                "pingpong");
}

static void check_what_came_back(const struct transport *t)
{
    for (int action = 0; action < ACTION_COUNT; action++) {
        if (actions[action].in)
            continue;
        memset(t->dst, 0, t->size->len_bytes);
        act(t, action);
        if (memcmp(t->src, t->dst, t->size->len_bytes) != 0) {
            fprintf(stderr, "bench: %s gave back other bytes\n", actions[action].name);
            exit(1);
        }
    }
}

/* All contenders take turns, run by run. */
static void measure(const struct transport *t)
{
    static struct timing timings[CONTENDER_COUNT];
    size_t rounds = (size_t)t->bench->runs * t->size->rounds;
    for (int c = 0; c < CONTENDER_COUNT; c++)
        timings[c].round_us = bench_alloc(rounds * sizeof(double));
    for (int c = 0; c < CONTENDER_COUNT; c++)
        one_round(t, c);
    check_what_came_back(t);
    for (unsigned run = 0; run < t->bench->runs; run++)
        for (int c = 0; c < CONTENDER_COUNT; c++)
            one_run(t, c, &timings[c], run);
    for (int action = 0; action < ACTION_COUNT; action++)
        print_action(t, action, timings);
    for (int c = 0; c < CONTENDER_COUNT; c++)
        free(timings[c].round_us);
}

static void free_objects(const struct transport *t)
{
    struct sw_error err;
    const char *const names[] = {"raw", "lossless"};
    must(sw_free(t->client, NULL, names, 2, NULL, &err), "free", &err);
}

static void measure_size(struct transport *t, const struct size *size)
{
    struct bench_data noise, payload;
    size_t noise_bytes = size->len_bytes < (16u << 20) ? size->len_bytes : 16u << 20;
    t->size = size;
    bench_data_make("normal-f32", noise_bytes, &noise);
    bench_data_repeat(&noise, size->len_bytes, &payload);
    t->src = payload.made;
    t->dst = bench_alloc(size->len_bytes);
    measure(t);
    free_objects(t);
    free(t->dst);
    bench_data_close(&payload);
    bench_data_close(&noise);
}

static void measure_endpoint(struct transport *t, const char *name, const char *endpoint)
{
    struct sw_error err;
    t->endpoint_name = name;
    must(sw_connect(endpoint, NULL, &t->client, &err), "connect", &err);
    for (size_t i = 0; i < SIZE_COUNT; i++)
        if (wants_size(t->bench, name, sizes[i].name))
            measure_size(t, &sizes[i]);
    sw_close(t->client);
}

/* The shortest round two processes can have, to hold the others against. */
static void measure_pingpong(const struct bench *bench, const struct pingpong *game)
{
    enum { ROUNDS = 2000 };
    double round_us[ROUNDS];
    char message[PINGPONG_REPLY_BYTES] = {0};
    for (int i = -100; i < ROUNDS; i++) {
        uint64_t began = bench_wall_ns();
        must(pingpong_round(game, message, sizeof message), "ping-pong", NULL);
        if (i >= 0)
            round_us[i] = (double)(bench_wall_ns() - began) / 1000;
    }
    bench_print(bench, "transport/pingpong/unix/64", "p50_us", bench_percentile(round_us, ROUNDS, 0.5), "us", "itself");
    bench_print(bench, "transport/pingpong/unix/64", "p99_us", bench_percentile(round_us, ROUNDS, 0.99), "us",
                "itself");
}

static struct server server;

static void stop_server(void)
{
    server_stop(&server);
}

int main(int argc, char **argv)
{
    struct bench bench;
    struct transport transport = {.bench = &bench};
    int rc = bench_options(&bench, argc, argv, "SPILLWAYD");
    if (rc != 0)
        return rc < 0 ? 2 : 0;
    if (optind + 1 != argc) {
        fprintf(stderr, "bench: give the path of the spillwayd to measure, and nothing else\n");
        return 2;
    }
    must(pingpong_start(&transport.game), "ping-pong", NULL);
    if (server_start(&server, argv[optind], SERVER_MEMORY) < 0)
        return 1;
    atexit(stop_server);
    measure_pingpong(&bench, &transport.game);
    measure_endpoint(&transport, "unix", server.unix_endpoint);
    measure_endpoint(&transport, "tcp", server.tcp_endpoint);
    pingpong_stop(&transport.game);
    return 0;
}
