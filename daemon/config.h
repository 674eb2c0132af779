/*
 * The daemon's configuration: built-in defaults, then a file, then flags. None is needed.
 */
#ifndef SW_DAEMON_CONFIG_H
#define SW_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/stats/log.h"

#define SW_CONFIG_PATH_CAP 4096
#define SW_CONFIG_HOST_CAP 64
#define SW_CONFIG_SPACES 256

/* In place of a path or host until sw_config_complete: a default that depends on other options. */
#define SW_CONFIG_AUTO "auto"

struct sw_config_space {
    char name[65];
    uint64_t quota_bytes; /* 0: the default */
    bool has_owner;       /* else the daemon's own user owns it */
    uint32_t owner_uid;
};

struct sw_config {
    char socket[SW_CONFIG_PATH_CAP];   /* unix socket; "" for none */
    char tcp_host[SW_CONFIG_HOST_CAP]; /* numeric; "" for no TCP listener */
    uint16_t tcp_port;
    char control_socket[SW_CONFIG_PATH_CAP]; /* gRPC; "" for none */
    char control_host[SW_CONFIG_HOST_CAP];   /* "" for no TCP */
    char http_host[SW_CONFIG_HOST_CAP];      /* "" for no HTTP */
    char control_token[SW_CONFIG_PATH_CAP];  /* file; "" for none */
    uint16_t control_port, http_port;
    bool http_may_fail; /* nobody asked for it: a port that is taken is no error */
    uint32_t control_watchers;
    uint64_t exchange_bytes; /* beside memory_bytes: weights of federations */
    bool insecure;           /* plain TCP beyond loopback is wanted all the same */
    uint64_t memory_bytes;   /* everything that holds tensors: arena, staging and index */
    uint64_t staging_bytes;
    uint64_t index_bytes;
    uint64_t window_bytes;
    uint64_t default_quota_bytes; /* 0: none */
    uint32_t codec_threads;
    uint32_t max_connections;
    uint32_t grace_ms;
    uint32_t request_timeout_ms;
    uint32_t max_request_timeout_ms;
    uint32_t stall_timeout_ms;
    enum sw_log_level log_level;
    struct sw_config_space spaces[SW_CONFIG_SPACES];
    size_t space_count;
};

#define SW_CONFIG_ERROR_CAP 1024

/* The defaults of this machine: a quarter of RAM or half of the cgroup's limit, as many codec threads as cores. */
void sw_config_defaults(struct sw_config *config);

/* Reads a file over what is there. False: error says file, line and what was expected. */
bool sw_config_read(struct sw_config *config, const char *path, char error[SW_CONFIG_ERROR_CAP]);

/*
 * Sets one option from its text, as a flag does: "memory" "2G". False: error says what was expected. Not for spaces.
 */
bool sw_config_set(struct sw_config *config, const char *option, const char *value, char error[SW_CONFIG_ERROR_CAP]);

/* Fills in what depends on other options, and checks them against each other. Once, at the end. */
bool sw_config_complete(struct sw_config *config, char error[SW_CONFIG_ERROR_CAP]);

/* Prints the configuration in force in the form of a file. */
void sw_config_print(const struct sw_config *config);

#endif
