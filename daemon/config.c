#include "daemon/config.h"

#include <confuse.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_cgroup.h"
#include "daemon/config_text.h"
#include "daemon/config_values.h"
#include "daemon/engine/staging.h"
#include "daemon/store/store.h"

#define MIB (1024u * 1024u)
#define LEAST_MEMORY_BYTES (16u * MIB)
#define LEAST_STAGING_BYTES (4u * MIB)
#define MOST_DEFAULT_STAGING_BYTES (64u * MIB)
#define LEAST_INDEX_BYTES MIB

/*
 * Credit that does not come back by itself: the last chunk of each open put, which is not complete (four of 512 KiB),
 * and a quarter of the window, below which we do not trouble to say. What is left has to hold the largest body.
 */
#define LEAST_WINDOW_BYTES (4u * MIB)

/* With less, requests would end before the clock that is looked at every 50 ms has moved. */
#define LEAST_TIMEOUT_MS 100

/* --- one table of options, for file, flags and printing */

enum option_type { PATH, TCP, SIZE, DURATION, NUMBER, BOOLEAN, LEVEL };

static const struct option {
    const char *name;
    enum option_type type;
    size_t offset;        /* in struct sw_config */
    uint32_t least, most; /* of numbers and durations */
    const char *expected;
} options[] = {
    {"socket", PATH, offsetof(struct sw_config, socket), 0, 0, "a path, or none"},
    {"listen", TCP, offsetof(struct sw_config, tcp_host), 0, 0,
     "tcp:ADDRESS:PORT such as tcp:127.0.0.1:7411, tcp:PORT for loopback, or none"},
    {"insecure", BOOLEAN, offsetof(struct sw_config, insecure), 0, 0, "true or false"},
    {"memory", SIZE, offsetof(struct sw_config, memory_bytes), 0, 0, "a size such as 512M or 8G"},
    {"staging", SIZE, offsetof(struct sw_config, staging_bytes), 0, 0, "a size such as 64M"},
    {"index", SIZE, offsetof(struct sw_config, index_bytes), 0, 0, "a size such as 8M"},
    {"window", SIZE, offsetof(struct sw_config, window_bytes), 0, 0, "a size such as 4M"},
    {"quota", SIZE, offsetof(struct sw_config, default_quota_bytes), 0, 0, "a size such as 8G; 0 for none"},
    {"codec_threads", NUMBER, offsetof(struct sw_config, codec_threads), 1, 256, "a number from 1 to 256"},
    {"max_connections", NUMBER, offsetof(struct sw_config, max_connections), 1, 65536, "a number from 1 to 65536"},
    {"grace", DURATION, offsetof(struct sw_config, grace_ms), 0, UINT32_MAX, "a duration such as 10s or 500ms"},
    {"request_timeout", DURATION, offsetof(struct sw_config, request_timeout_ms), LEAST_TIMEOUT_MS, UINT32_MAX,
     "a duration of at least 100ms, such as 60s"},
    {"max_request_timeout", DURATION, offsetof(struct sw_config, max_request_timeout_ms), LEAST_TIMEOUT_MS, UINT32_MAX,
     "a duration of at least 100ms, such as 10m"},
    {"stall_timeout", DURATION, offsetof(struct sw_config, stall_timeout_ms), LEAST_TIMEOUT_MS, UINT32_MAX,
     "a duration of at least 100ms, such as 30s"},
    {"log_level", LEVEL, offsetof(struct sw_config, log_level), 0, 0, "debug, info, warning or error"},
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

static const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static bool set_path(char *path, const char *value)
{
    if (strlen(value) >= SW_CONFIG_PATH_CAP || value[0] == '\0')
        return false;
    strcpy(path, strcmp(value, "none") == 0 ? "" : value);
    return true;
}

static bool set_number(const struct option *o, const char *value, uint32_t *number)
{
    char *end;

    unsigned long n = strtoul(value, &end, 10);
    if (end == value || *end || n < o->least || n > o->most)
        return false;
    *number = (uint32_t)n;
    return true;
}

static bool set_duration(const struct option *o, const char *value, uint32_t *ms)
{
    uint32_t read;

    if (!sw_value_duration(value, &read) || read < o->least || read > o->most)
        return false;
    *ms = read;
    return true;
}

static bool set_bool(const char *value, bool *to)
{
    *to = strcmp(value, "true") == 0;
    return *to || strcmp(value, "false") == 0;
}

static bool set_level(const char *value, enum sw_log_level *to)
{
    int level = sw_log_level_parse(value);

    if (level < 0)
        return false;
    *to = (enum sw_log_level)level;
    return true;
}

static bool option_set(const struct option *o, struct sw_config *config, const char *value)
{
    void *at = (char *)config + o->offset;

    switch (o->type) {
    case PATH:
        return set_path(at, value);
    case TCP:
        return sw_value_tcp(value, at, &config->tcp_port);
    case SIZE:
        return sw_value_size(value, at);
    case DURATION:
        return set_duration(o, value, at);
    case NUMBER:
        return set_number(o, value, at);
    case BOOLEAN:
        return set_bool(value, at);
    case LEVEL:
        return set_level(value, at);
    }
    return false;
}

/* A sentence for an option that does not exist: which do, so that a slip is seen. */
static void explain_unknown(const char *name, char *text, size_t cap)
{
    int n = snprintf(text, cap, "there is no option '%.64s': there are", name);

    for (size_t i = 0; i < OPTION_COUNT && n > 0 && (size_t)n < cap; i++)
        n += snprintf(text + n, cap - (size_t)n, "%s %s", i > 0 ? "," : "", options[i].name);
}

bool sw_config_set(struct sw_config *config, const char *name, const char *value, char error[SW_CONFIG_ERROR_CAP])
{
    const struct option *o = option_find(name);

    if (o && option_set(o, config, value))
        return true;
    if (o)
        snprintf(error, SW_CONFIG_ERROR_CAP, "%s: '%s' is not understood: expected %s", name, value, o->expected);
    else
        explain_unknown(name, error, SW_CONFIG_ERROR_CAP);
    return false;
}

/* --- defaults */

static uint64_t default_memory_bytes(void)
{
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t half_limit = sw_cgroup_limit_bytes("/proc/self/cgroup", "/sys/fs/cgroup") / 2;

    return ram / 4 < half_limit ? ram / 4 : half_limit;
}

/* Where clients look by default, too. */
static void default_socket(char path[SW_CONFIG_PATH_CAP])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (runtime && runtime[0] == '/')
        snprintf(path, SW_CONFIG_PATH_CAP, "%s/spillway/spillway.sock", runtime);
    else
        snprintf(path, SW_CONFIG_PATH_CAP, "/run/spillway/spillway.sock");
}

void sw_config_defaults(struct sw_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *config = (struct sw_config){
        .memory_bytes = default_memory_bytes(),
        .window_bytes = 4u * MIB,
        .codec_threads = cores < 1     ? 1
                         : cores > 256 ? 256
                                       : (uint32_t)cores,
        .max_connections = 1024,
        .grace_ms = 10000,
        .request_timeout_ms = 60000,
        .max_request_timeout_ms = 600000,
        .stall_timeout_ms = 30000,
        .log_level = SW_LOG_INFO,
    };
    default_socket(config->socket);
}

/* --- the file */

/* libConfuse reports through a callback without a user pointer; configuration is read before threads start. */
static char *error_text;
static const char *error_path;

__attribute__((format(printf, 2, 0))) static void note_error(cfg_t *cfg, const char *format, va_list args)
{
    if (error_text[0])
        return; /* the first error is the one to mend */
    int n = snprintf(error_text, SW_CONFIG_ERROR_CAP, "%s:%d: ", error_path, cfg->line);
    if (n < 0 || n >= SW_CONFIG_ERROR_CAP)
        return;
    vsnprintf(error_text + n, (size_t)(SW_CONFIG_ERROR_CAP - n), format, args);
    /* libConfuse names what it does not know and no more; it hands us the name only within its sentence. */
    char name[64];
    if (sscanf(error_text + n, "no such option '%63[^']'", name) != 1)
        return;
    if (strcmp(cfg_name(cfg), "space") == 0)
        snprintf(error_text + n, (size_t)(SW_CONFIG_ERROR_CAP - n),
                 "a space has no option '%s': there are quota and owner", name);
    else
        explain_unknown(name, error_text + n, (size_t)(SW_CONFIG_ERROR_CAP - n));
}

/* libConfuse calls this for each value, with the line at hand. */
static int check_option(cfg_t *cfg, cfg_opt_t *opt)
{
    static struct sw_config scratch;
    const struct option *o = option_find(opt->name);
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);

    if (option_set(o, &scratch, value))
        return 0;
    cfg_error(cfg, "%s = \"%s\" is not understood: expected %s", o->name, value, o->expected);
    return -1;
}

/* One section's values. */
static bool read_space(struct sw_config_space *space, cfg_t *section)
{
    const char *name = cfg_title(section), *quota = cfg_getstr(section, "quota"), *owner = cfg_getstr(section, "owner");

    if (!sw_space_name_valid(name) || !sw_value_size(quota ? quota : "0", &space->quota_bytes))
        return false;
    strcpy(space->name, name);
    space->has_owner = owner != NULL;
    return !owner || sw_value_user(owner, &space->owner_uid);
}

/* Reads `space "NAME" { quota = "8G" owner = "trainer" }` sections. */
static bool read_spaces(struct sw_config *config, cfg_t *cfg, const char *path, char error[SW_CONFIG_ERROR_CAP])
{
    for (unsigned i = 0; i < cfg_size(cfg, "space"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "space", i);

        if (config->space_count == SW_CONFIG_SPACES) {
            snprintf(error, SW_CONFIG_ERROR_CAP, "%s: more than %d spaces", path, SW_CONFIG_SPACES);
            return false;
        }
        if (!read_space(&config->spaces[config->space_count], section)) {
            snprintf(error, SW_CONFIG_ERROR_CAP,
                     "%s:%d: space \"%s\": expected 1 to 64 of A-Z a-z 0-9 . _ - as its name, quota = \"8G\", and as "
                     "owner the name or uid of a user of this machine",
                     path, section->line, cfg_title(section));
            return false;
        }
        config->space_count++;
    }
    return true;
}

static bool apply(struct sw_config *config, cfg_t *cfg)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *value = cfg_getstr(cfg, options[i].name);
        if (value && !option_set(&options[i], config, value))
            return false;
    }
    return true;
}

bool sw_config_read(struct sw_config *config, const char *path, char error[SW_CONFIG_ERROR_CAP])
{
    cfg_opt_t space[] = {CFG_STR("quota", NULL, CFGF_NODEFAULT), CFG_STR("owner", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t file[OPTION_COUNT + 2];

    for (size_t i = 0; i < OPTION_COUNT; i++)
        file[i] = (cfg_opt_t)CFG_STR(options[i].name, NULL, CFGF_NODEFAULT);
    file[OPTION_COUNT] = (cfg_opt_t)CFG_SEC("space", space, CFGF_MULTI | CFGF_TITLE);
    file[OPTION_COUNT + 1] = (cfg_opt_t)CFG_END();

    char *text;
    int rc = sw_config_text_read(path, &text);
    if (rc < 0) {
        snprintf(error, SW_CONFIG_ERROR_CAP, "%s: cannot be read: %s", path, strerror(-rc));
        return false;
    }
    cfg_t *cfg = cfg_init(file, CFGF_NONE);
    if (!cfg) {
        snprintf(error, SW_CONFIG_ERROR_CAP, "%s: out of memory", path);
        free(text);
        return false;
    }
    error[0] = '\0';
    error_text = error;
    error_path = path;
    cfg_set_error_function(cfg, note_error);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        cfg_set_validate_func(cfg, options[i].name, check_option);

    bool ok = cfg_parse_buf(cfg, text) == CFG_SUCCESS && apply(config, cfg) && read_spaces(config, cfg, path, error);
    if (!ok && !error[0])
        snprintf(error, SW_CONFIG_ERROR_CAP, "%s: expected lines such as: memory = \"8G\"", path);
    cfg_free(cfg);
    free(text);
    return ok;
}

/* --- completion */

static bool fail(char error[SW_CONFIG_ERROR_CAP], const char *text)
{
    snprintf(error, SW_CONFIG_ERROR_CAP, "%s", text);
    return false;
}

/*
 * A store of large tensors needs next to nothing; one of small tensors, some 800 bytes each. A small store is more
 * likely to be full of small ones.
 */
static uint64_t default_index_bytes(uint64_t memory_bytes)
{
    uint64_t eighth = memory_bytes / 8, small = eighth < 8u * MIB ? eighth : 8u * MIB;

    return memory_bytes / 32 > small ? memory_bytes / 32 : small;
}

bool sw_config_complete(struct sw_config *config, char error[SW_CONFIG_ERROR_CAP])
{
    if (!config->socket[0] && !config->tcp_host[0])
        return fail(error, "nothing to listen at: set socket, listen, or both");
    if (config->tcp_host[0] && !sw_value_is_loopback(config->tcp_host) && !config->insecure)
        return fail(error,
                    "listen: plain TCP beyond loopback lets anybody on the network in: use a loopback address, or "
                    "set insecure = \"true\" if the network is yours alone");
    if (config->memory_bytes < LEAST_MEMORY_BYTES)
        return fail(error, "memory: at least 16M are needed");
    if (config->staging_bytes == 0) {
        uint64_t eighth = config->memory_bytes / 8;
        config->staging_bytes = eighth > MOST_DEFAULT_STAGING_BYTES ? MOST_DEFAULT_STAGING_BYTES : eighth;
        if (config->staging_bytes < LEAST_STAGING_BYTES)
            config->staging_bytes = LEAST_STAGING_BYTES;
    }
    if (config->staging_bytes < LEAST_STAGING_BYTES || config->staging_bytes > config->memory_bytes / 2)
        return fail(error, "staging: from 4M to half of memory");
    if (config->index_bytes == 0)
        config->index_bytes = default_index_bytes(config->memory_bytes);
    if (config->index_bytes < LEAST_INDEX_BYTES || config->index_bytes > config->memory_bytes / 4)
        return fail(error, "index: from 1M to a quarter of memory");
    if (config->window_bytes < LEAST_WINDOW_BYTES)
        return fail(error, "window: at least 4M: what open puts hold of it, and the largest body of a frame beside");
    if (config->request_timeout_ms > config->max_request_timeout_ms)
        return fail(error, "request_timeout: at most max_request_timeout");
    return true;
}

static void print_value(const struct option *o, const struct sw_config *config)
{
    const void *at = (const char *)config + o->offset;

    switch (o->type) {
    case PATH:
        printf("\"%s\"", *(const char *)at ? (const char *)at : "none");
        break;
    case TCP:
        if (config->tcp_host[0])
            printf(strchr(config->tcp_host, ':') ? "\"tcp:[%s]:%u\"" : "\"tcp:%s:%u\"", config->tcp_host,
                   config->tcp_port);
        else
            printf("\"none\"");
        break;
    case SIZE:
        printf("\"%llu\"", (unsigned long long)*(const uint64_t *)at);
        break;
    case DURATION:
        printf("\"%ums\"", *(const uint32_t *)at);
        break;
    case NUMBER:
        printf("\"%u\"", *(const uint32_t *)at);
        break;
    case BOOLEAN:
        printf("\"%s\"", *(const bool *)at ? "true" : "false");
        break;
    case LEVEL: {
        static const char *const names[] = {"debug", "info", "warning", "error"};
        printf("\"%s\"", names[*(const enum sw_log_level *)at]);
        break;
    }
    }
}

static void print_space(const struct sw_config_space *space)
{
    printf("space \"%s\" { quota = \"%llu\"", space->name, (unsigned long long)space->quota_bytes);
    if (space->has_owner)
        printf(" owner = \"%u\"", space->owner_uid);
    printf(" }\n");
}

void sw_config_print(const struct sw_config *config)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        printf("%s = ", options[i].name);
        print_value(&options[i], config);
        printf("\n");
    }
    for (size_t i = 0; i < config->space_count; i++)
        print_space(&config->spaces[i]);
}
