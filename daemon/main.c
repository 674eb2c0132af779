/*
 * spillwayd: wiring. Configuration, engine, server, signals, and the loop that runs until SIGTERM.
 */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/config.h"
#include "daemon/data/server.h"
#include "daemon/flags.h"
#include "daemon/stats/log.h"

/* Descriptors beside those of connections. */
#define OTHER_DESCRIPTORS 64

struct daemon {
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    struct sw_engine engine;
    struct sw_server server;
};

static void raise_descriptor_limit(uint32_t connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= connections + OTHER_DESCRIPTORS)
        return;
    limit.rlim_cur =
        connections + OTHER_DESCRIPTORS < limit.rlim_max ? connections + OTHER_DESCRIPTORS : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        sw_log(SW_LOG_WARNING, "cannot raise the limit of open files", "error", strerror(errno), NULL);
}

/* The socket's own directory, for this user only; its parents are somebody else's business. */
static void make_socket_directory(const char *path)
{
    char copy[SW_CONFIG_PATH_CAP];

    strcpy(copy, path);
    if (mkdir(dirname(copy), 0700) < 0 && errno != EEXIST)
        sw_log(SW_LOG_WARNING, "cannot make the socket's directory", "socket", path, "error", strerror(errno), NULL);
}

static int set_up_space(struct sw_engine *engine, const struct sw_config_space *space)
{
    int rc = sw_store_set_quota(engine->store, space->name, space->quota_bytes);

    if (rc == 0 && space->has_owner)
        rc = sw_runs_set_owner(engine->runs, space->name, space->owner_uid);
    return rc;
}

static int start_engine(struct daemon *d, const struct sw_config *config)
{
    const struct sw_kernels *kernels = sw_kernels_select(getenv("SPILLWAY_CPU_DISABLE"));
    struct sw_engine_options options = {
        .codec_threads = config->codec_threads,
        .staging_bytes = config->staging_bytes,
        .memory_bytes = config->memory_bytes - config->staging_bytes - config->index_bytes,
        .index_bytes = config->index_bytes,
        .kernels = kernels,
        .default_quota_bytes = config->default_quota_bytes,
    };

    int rc = sw_engine_init(&d->engine, &options);
    if (rc < 0) {
        sw_log(SW_LOG_ERROR, "cannot set up the store: try a smaller memory", "error", sw_status_text(rc), NULL);
        return rc;
    }
    for (size_t i = 0; i < config->space_count && rc == 0; i++)
        rc = set_up_space(&d->engine, &config->spaces[i]);
    if (rc < 0) {
        sw_log(SW_LOG_ERROR, "cannot set up a space", "error", sw_status_text(rc), NULL);
        sw_engine_finish(&d->engine);
    }
    return rc;
}

static int start_server(struct daemon *d, const struct sw_config *config)
{
    const char *what;
    struct sw_server_options options = {
        .unix_path = config->socket[0] ? config->socket : NULL,
        .tcp_host = config->tcp_host[0] ? config->tcp_host : NULL,
        .tcp_port = config->tcp_port,
        .max_connections = config->max_connections,
        .grace_ms = config->grace_ms,
        .request_timeout_ms = config->request_timeout_ms,
        .max_request_timeout_ms = config->max_request_timeout_ms,
        .stall_timeout_ms = config->stall_timeout_ms,
        .window_bytes = config->window_bytes,
    };

    if (options.unix_path)
        make_socket_directory(options.unix_path);
    int rc = sw_server_start(&d->server, &d->loop, &d->engine, &options, &what);
    if (rc == -EADDRINUSE)
        sw_log(SW_LOG_ERROR,
               "somebody listens there already: stop that spillwayd or choose another --socket or --listen", "endpoint",
               what, NULL);
    else if (rc < 0)
        sw_log(SW_LOG_ERROR, "cannot listen", "endpoint", what, "error", sw_status_text(rc), NULL);
    return rc;
}

static void stop(uv_signal_t *watcher, int number)
{
    struct daemon *d = watcher->data;

    (void)number;
    sw_log(SW_LOG_INFO, "shutting down", NULL);
    sw_server_stop(&d->server);
    uv_close((uv_handle_t *)&d->term, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    /* libuv has put the default actions back: a second signal must not kill us on the way out. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
}

static void watch_signals(struct daemon *d)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&d->loop, &d->term);
    uv_signal_init(&d->loop, &d->interrupt);
    d->term.data = d->interrupt.data = d;
    uv_signal_start(&d->term, stop, SIGTERM);
    uv_signal_start(&d->interrupt, stop, SIGINT);
}

static void log_ready(const struct daemon *d, const struct sw_config *config)
{
    char memory[SW_LOG_NUMBER_CAP], threads[SW_LOG_NUMBER_CAP], port[SW_LOG_NUMBER_CAP];

    sw_log(SW_LOG_INFO, "ready", "version", SPILLWAY_VERSION, "socket", config->socket[0] ? config->socket : "none",
           "tcp", config->tcp_host[0] ? config->tcp_host : "none", "tcp_port", sw_log_u64(port, d->server.tcp_port),
           "memory_bytes", sw_log_u64(memory, config->memory_bytes), "codec_threads",
           sw_log_u64(threads, config->codec_threads), NULL);
}

static int run(struct daemon *d, const struct sw_config *config)
{
    int rc = start_engine(d, config);
    if (rc < 0)
        return rc;
    rc = start_server(d, config);
    if (rc == 0) {
        watch_signals(d);
        log_ready(d, config);
    }
    uv_run(&d->loop, UV_RUN_DEFAULT);
    sw_server_finish(&d->server);
    sw_engine_finish(&d->engine);
    return rc;
}

int main(int argc, char **argv)
{
    static struct sw_config config;
    static struct daemon d;
    bool check_only;

    sw_flags_read(argc, argv, &config, &check_only);
    if (check_only) {
        sw_config_print(&config);
        return 0;
    }
    sw_log_set_level(config.log_level);
    raise_descriptor_limit(config.max_connections);
    if (uv_loop_init(&d.loop) < 0) {
        sw_log(SW_LOG_ERROR, "cannot make an event loop", NULL);
        return 1;
    }
    int rc = run(&d, &config);
    uv_loop_close(&d.loop);
    sw_log(SW_LOG_INFO, "stopped", NULL);
    return rc < 0 ? 1 : 0;
}
