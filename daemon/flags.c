#include "daemon/flags.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/spillway/spillwayd.conf"

static const char doc[] =
    "Keeps the tensors of training jobs: encodes them, stores them in memory, and hands them back to the bit.\v"
    "Without any option spillwayd listens at $XDG_RUNTIME_DIR/spillway/spillway.sock (else "
    "/run/spillway/spillway.sock), readable by its own user only, and holds at most a quarter of the machine's "
    "memory.\n\n"
    "Examples:\n"
    "  spillwayd\n"
    "  spillwayd --socket /tmp/my.sock --memory 8G\n"
    "  spillwayd --listen tcp:127.0.0.1:7411\n"
    "  spillwayd --config spillwayd.conf --check-config\n\n"
    "A configuration file holds the same options, a line each: memory = \"8G\". Flags win over the file. "
    "SIGTERM ends the daemon cleanly.";

enum {
    OPT_CHECK = 256,
    OPT_STAGING,
    OPT_INSECURE,
    OPT_GRACE,
    OPT_LOG_LEVEL,
    OPT_THREADS,
    OPT_QUOTA,
    OPT_SET,
    OPT_CONTROL,
    OPT_CONTROL_LISTEN,
    OPT_TOKEN,
    OPT_HTTP
};

static const struct argp_option flags[] = {
    {"socket", 's', "PATH", 0, "Unix socket to listen at; none for none", 0},
    {"listen", 'l', "ENDPOINT", 0, "TCP too: tcp:PORT for loopback, tcp:ADDRESS:PORT; port 0 takes any", 0},
    {"memory", 'm', "SIZE", 0, "Most memory for tensors, staging and index included: 512M, 8G", 0},
    {"staging", OPT_STAGING, "SIZE", 0, "Of it, memory between socket and codec (default: an eighth, at most 64M)", 0},
    {"quota", OPT_QUOTA, "SIZE", 0, "Most stored bytes of any one space (default: none)", 0},
    {"codec-threads", OPT_THREADS, "N", 0, "Threads that encode and decode (default: one per core)", 0},
    {"grace", OPT_GRACE, "TIME", 0, "How long a lost client's groups are kept (default: 10s)", 0},
    {"control-socket", OPT_CONTROL, "PATH", 0,
     "Unix socket of the control plane, gRPC; none for none (default: beside the data socket, NAME-control.sock)", 0},
    {"control-listen", OPT_CONTROL_LISTEN, "ENDPOINT", 0, "The control plane over TCP, too (default: none)", 0},
    {"control-token-file", OPT_TOKEN, "FILE", 0,
     "Who sends the token in it may push policies over TCP; nobody may without (default: none)", 0},
    {"http", OPT_HTTP, "ENDPOINT", 0,
     "Where /metrics, /stats.json and /healthz are; none for none (default: tcp:127.0.0.1:7412, if it is free)", 0},
    {"insecure", OPT_INSECURE, NULL, 0, "Allow plain TCP beyond loopback", 0},
    {"log-level", OPT_LOG_LEVEL, "LEVEL", 0, "debug, info, warning or error (default: info)", 0},
    {"set", OPT_SET, "OPTION=VALUE", 0, "Any option of the configuration file", 0},
    {"config", 'c', "FILE", 0, "Configuration file (default: " DEFAULT_CONFIG ", if it exists)", 0},
    {"check-config", OPT_CHECK, NULL, 0, "Print the configuration in force, and exit", 0},
    {0},
};

/* Flags are noted first and applied after the file, over which they win. */
#define MOST_SETTINGS 64

struct noted {
    const char *config_path;
    bool check_only;
    struct {
        char option[32];
        const char *value;
    } settings[MOST_SETTINGS];
    size_t count;
};

static void note(struct noted *noted, struct argp_state *state, const char *option, size_t option_len,
                 const char *value)
{
    if (noted->count == MOST_SETTINGS || option_len >= sizeof noted->settings[0].option)
        argp_error(state, "too many options, or one that is too long");
    memcpy(noted->settings[noted->count].option, option, option_len);
    noted->settings[noted->count].option[option_len] = '\0';
    noted->settings[noted->count].value = value;
    noted->count++;
}

static void note_named(struct noted *noted, struct argp_state *state, const char *option, const char *value)
{
    note(noted, state, option, strlen(option), value);
}

static error_t parse_flag(int key, char *value, struct argp_state *state)
{
    struct noted *noted = state->input;
    const char *equals;

    switch (key) {
    case 's':
        note_named(noted, state, "socket", value);
        return 0;
    case 'l':
        note_named(noted, state, "listen", value);
        return 0;
    case 'm':
        note_named(noted, state, "memory", value);
        return 0;
    case 'c':
        noted->config_path = value;
        return 0;
    case OPT_STAGING:
        note_named(noted, state, "staging", value);
        return 0;
    case OPT_QUOTA:
        note_named(noted, state, "quota", value);
        return 0;
    case OPT_THREADS:
        note_named(noted, state, "codec_threads", value);
        return 0;
    case OPT_GRACE:
        note_named(noted, state, "grace", value);
        return 0;
    case OPT_CONTROL:
        note_named(noted, state, "control_socket", value);
        return 0;
    case OPT_CONTROL_LISTEN:
        note_named(noted, state, "control_listen", value);
        return 0;
    case OPT_TOKEN:
        note_named(noted, state, "control_token_file", value);
        return 0;
    case OPT_HTTP:
        note_named(noted, state, "http_listen", value);
        return 0;
    case OPT_INSECURE:
        note_named(noted, state, "insecure", "true");
        return 0;
    case OPT_LOG_LEVEL:
        note_named(noted, state, "log_level", value);
        return 0;
    case OPT_SET:
        equals = strchr(value, '=');
        if (!equals)
            argp_error(state, "--set wants OPTION=VALUE, such as --set window=8M");
        note(noted, state, value, (size_t)(equals - value), equals + 1);
        return 0;
    case OPT_CHECK:
        noted->check_only = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is not understood: spillwayd takes options only", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void die(const char *error)
{
    fprintf(stderr, "spillwayd: %s\n", error);
    exit(2);
}

void sw_flags_read(int argc, char **argv, struct sw_config *config, bool *check_only)
{
    static const struct argp argp = {flags, parse_flag, NULL, doc, NULL, NULL, NULL};
    char error[SW_CONFIG_ERROR_CAP];
    struct noted noted = {.count = 0};

    /* libc's own variable: defined here it would be hidden like all our symbols, and libc would not see it. */
    argp_program_version = "spillwayd " SPILLWAY_VERSION;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &noted);
    if (!noted.config_path && access(DEFAULT_CONFIG, F_OK) == 0)
        noted.config_path = DEFAULT_CONFIG;

    sw_config_defaults(config);
    if (noted.config_path && !sw_config_read(config, noted.config_path, error))
        die(error);
    for (size_t i = 0; i < noted.count; i++)
        if (!sw_config_set(config, noted.settings[i].option, noted.settings[i].value, error))
            die(error);
    if (!sw_config_complete(config, error))
        die(error);
    *check_only = noted.check_only;
}
