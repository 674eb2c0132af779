/* Configuration: the values of options, files good and broken, and what is filled in. */
#include "daemon/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/config_cgroup.h"
#include "daemon/config_text.h"
#include "daemon/config_values.h"

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"4096", 4096},
                {"1K", 1024},
                {"64M", 64ull << 20},
                {"64MB", 64ull << 20},
                {"64MiB", 64ull << 20},
                {"1.5g", 3ull << 29},
                {"2T", 2ull << 40},
                {"65535T", 65535ull << 40}};
    static const char *const bad[] = {"",     "M",      "-1",    "+1",       " 1",  "1 M", "64Q",  "64MM",
                                      "64Mb", "65536T", "1e400", "0x10000p", "inf", "nan", "1,5G", "64M\n"};
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(sw_value_size(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bytes = 77;
        if (sw_value_size(bad[i], &bytes))
            fail_msg("\"%s\" was read as a size", bad[i]);
        assert_int_equal(bytes, 77);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint32_t ms;
    } good[] = {{"10s", 10000}, {"250ms", 250}, {"2m", 120000}, {"1h", 3600000}, {"7", 7000}, {"0", 0}, {"0.5s", 500}};
    static const char *const bad[] = {"", "s", "-1s", "1d", "10 s", "50d", "1194h", "1e20ms", "ms"};
    uint32_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(sw_value_duration(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    assert_true(sw_value_duration("1192h", &ms));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sw_value_duration(bad[i], &ms))
            fail_msg("\"%s\" was read as a duration", bad[i]);
}

static void tcp_endpoints(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        bool loopback;
    } good[] = {{"tcp:7411", "127.0.0.1", 7411, true},
                {"tcp:0", "127.0.0.1", 0, true},
                {"tcp:127.0.0.1:7411", "127.0.0.1", 7411, true},
                {"tcp:127.9.9.9:1", "127.9.9.9", 1, true},
                {"tcp:localhost:80", "127.0.0.1", 80, true},
                {"tcp:[::1]:7411", "::1", 7411, true},
                {"tcp:0.0.0.0:65535", "0.0.0.0", 65535, false},
                {"tcp:[::]:7411", "::", 7411, false},
                {"tcp:192.168.1.7:7411", "192.168.1.7", 7411, false},
                {"tcp:[::ffff:127.0.0.1]:7411", "::ffff:127.0.0.1", 7411, false}};
    static const char *const bad[] = {"",
                                      "tcp:",
                                      "tcp::",
                                      "tcp:65536",
                                      "tcp:-1",
                                      "tcp:7411x",
                                      "tcp:127.0.0.1:",
                                      "tcp:127.0.0:1",
                                      "tcp:example.org:7411",
                                      "tcp:[::1:7411",
                                      "tcp:[::1]",
                                      "unix:/tmp/x",
                                      "tcp:1111111111111111111111111111111111111111111111111111111111111111111:1"};
    char host[SW_CONFIG_HOST_CAP];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(sw_value_tcp(good[i].text, host, &port));
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
        assert_int_equal(sw_value_is_loopback(host), good[i].loopback);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sw_value_tcp(bad[i], host, &port))
            fail_msg("\"%s\" was read as an endpoint", bad[i]);
    assert_true(sw_value_tcp("none", host, &port));
    assert_string_equal(host, "");
}

static void comments_become_blanks(void **state)
{
    static const struct {
        const char *text, *blanked;
    } cases[] = {{"", ""},
                 {"a # b\nc", "a    \nc"},
                 {"a // b\nc", "a     \nc"},
                 {"a /* b\n c */ d", "a     \n      d"},
                 {"/* open\n", "       \n"},
                 {"/*/ */x", "      x"},
                 {"\"#\" # x", "\"#\"    "},
                 {"'//' // x", "'//'     "},
                 {"\"a\\\"#\" #", "\"a\\\"#\"  "},
                 {"\"open # \n", "\"open # \n"},
                 {"\"\\", "\"\\"},
                 {"a / b", "a / b"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = strdup(cases[i].text);
        sw_config_text_blank_comments(text);
        assert_string_equal(text, cases[i].blanked);
        free(text);
    }
}

/* --- files */

static char path[] = "/tmp/spillway-test-config-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    strcpy(path + sizeof path - 7, "XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static bool read_text(struct sw_config *config, const char *text, char *error)
{
    write_file(text, strlen(text));
    return sw_config_read(config, path, error);
}

static void a_file_goes_over_the_defaults(void **state)
{
    static struct sw_config config;
    char error[SW_CONFIG_ERROR_CAP];

    (void)state;
    sw_config_defaults(&config);
    uint32_t threads = config.codec_threads;
    assert_true(
        read_text(&config,
                  "# a node\nsocket = \"/x\"\nlisten = 'tcp:7411'\nmemory = 2G\ngrace = 250ms\n"
                  "insecure = true\nlog_level = debug\nmax_connections = 9\n"
                  "space \"a\" { quota = 1M owner = root }\nspace b { quota = \"2M\" }\nspace c { owner = 4711 }\n",
                  error));
    assert_string_equal(config.socket, "/x");
    assert_string_equal(config.tcp_host, "127.0.0.1");
    assert_int_equal(config.tcp_port, 7411);
    assert_int_equal(config.memory_bytes, 2ull << 30);
    assert_int_equal(config.grace_ms, 250);
    assert_true(config.insecure);
    assert_int_equal(config.log_level, SW_LOG_DEBUG);
    assert_int_equal(config.max_connections, 9);
    assert_int_equal(config.codec_threads, threads);
    assert_int_equal(config.space_count, 3);
    assert_true(config.spaces[0].has_owner);
    assert_int_equal(config.spaces[0].owner_uid, 0);
    assert_false(config.spaces[1].has_owner);
    assert_true(config.spaces[2].has_owner);
    assert_int_equal(config.spaces[2].owner_uid, 4711);
    assert_string_equal(config.spaces[1].name, "b");
    assert_int_equal(config.spaces[1].quota_bytes, 2u << 20);
    assert_true(sw_config_complete(&config, error));
    assert_int_equal(config.staging_bytes, 64u << 20);
}

static void a_broken_line_is_named(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *expected;
    } cases[] = {{"memory = 2Q\n", 1, "a size"},
                 {"# x\n# y\n\ngrace = soon # z\n", 4, "a duration"},
                 {"socket = /x\ncolour = blue\n", 2, "colour"},
                 {"codec_threads = 257\n", 1, "from 1 to 256"},
                 {"\nspace \"a b\" { quota = 1M }\n", 2, "A-Z a-z"},
                 {"space a { owner = \"no such user\" }\n", 1, "a user of this machine"},
                 {"space a { owner = 4294967295 }\n", 1, "a user of this machine"}};
    static struct sw_config config;
    char error[SW_CONFIG_ERROR_CAP], start[128];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sw_config_defaults(&config);
        assert_false(read_text(&config, cases[i].text, error));
        snprintf(start, sizeof start, "%s:%d: ", path, cases[i].line);
        if (strncmp(error, start, strlen(start)) != 0 || !strstr(error, cases[i].expected))
            fail_msg("%s: %s", cases[i].text, error);
    }
}

static void what_is_no_file_is_refused(void **state)
{
    static struct sw_config config;
    static char large[SW_CONFIG_TEXT_BYTES + 1];
    char error[SW_CONFIG_ERROR_CAP];

    (void)state;
    assert_false(sw_config_read(&config, "/no/such/file", error));
    assert_non_null(strstr(error, "No such file"));
    assert_false(sw_config_read(&config, "/", error));
    assert_non_null(strstr(error, "Is a directory"));
    write_file("memory\0= 1G", 11);
    assert_false(sw_config_read(&config, path, error));
    memset(large, '\n', sizeof large);
    write_file(large, sizeof large);
    assert_false(sw_config_read(&config, path, error));
    write_file(large, sizeof large - 1);
    assert_true(sw_config_read(&config, path, error));
}

static void too_many_spaces(void **state)
{
    static struct sw_config config;
    static char text[64 * (SW_CONFIG_SPACES + 1)];
    char error[SW_CONFIG_ERROR_CAP];
    size_t len = 0;

    (void)state;
    for (int i = 0; i <= SW_CONFIG_SPACES; i++) {
        if (i == SW_CONFIG_SPACES)
            assert_true(read_text(&config, text, error));
        len += (size_t)snprintf(text + len, sizeof text - len, "space s%d { quota = 1M }\n", i);
    }
    config.space_count = 0;
    assert_false(read_text(&config, text, error));
    assert_non_null(strstr(error, "more than 256 spaces"));
}

/* --- options against each other */

static void options_are_checked_against_each_other(void **state)
{
    static const struct {
        const char *option, *value, *says; /* says NULL: fine */
    } cases[] = {{"listen", "tcp:0.0.0.0:1", "insecure"},
                 {"listen", "tcp:[::1]:1", NULL},
                 {"socket", "none", "nothing to listen at"},
                 {"memory", "15M", "at least 16M"},
                 {"memory", "16M", NULL},
                 {"staging", "3M", "from 4M"},
                 {"staging", "33M", "half of memory"},
                 {"staging", "32M", NULL},
                 {"index", "1023K", "from 1M"},
                 {"index", "17M", "a quarter of memory"},
                 {"index", "16M", NULL},
                 {"window", "4095K", "at least 4M"},
                 {"window", "4M", NULL},
                 {"request_timeout", "11m", "at most max_request_timeout"},
                 {"max_request_timeout", "59s", "at most max_request_timeout"},
                 {"max_request_timeout", "60s", NULL}};
    static struct sw_config config;
    char error[SW_CONFIG_ERROR_CAP];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sw_config_defaults(&config);
        config.memory_bytes = 64u << 20;
        assert_true(sw_config_set(&config, cases[i].option, cases[i].value, error));
        bool ok = sw_config_complete(&config, error);
        if (ok != !cases[i].says || (!ok && !strstr(error, cases[i].says)))
            fail_msg("%s = %s: %s", cases[i].option, cases[i].value, ok ? "accepted" : error);
        assert_true(!ok || config.staging_bytes <= config.memory_bytes / 2);
    }
    assert_false(sw_config_set(&config, "grace", "soon", error));
    assert_non_null(strstr(error, "a duration such as 10s"));
    assert_false(sw_config_set(&config, "request_timeout", "0", error));
    assert_non_null(strstr(error, "at least 100ms"));
    assert_false(sw_config_set(&config, "stall_timeout", "99ms", error));
    assert_non_null(strstr(error, "at least 100ms"));
    assert_true(sw_config_set(&config, "stall_timeout", "100ms", error));
    assert_true(sw_config_set(&config, "grace", "0", error));
    assert_false(sw_config_set(&config, "colour", "blue", error));
    assert_non_null(strstr(error, "there are socket, listen"));
    assert_non_null(strstr(error, ", log_level"));
    assert_false(sw_config_set(&config, "socket", "", error));
}

/* --- the system's limits */

static void limit_write(const char *directory, const char *group, const char *file, const char *text)
{
    char where[256], command[600];
    FILE *f;

    snprintf(command, sizeof command, "mkdir -p '%s%s'", directory, group);
    assert_int_equal(system(command), 0);
    snprintf(where, sizeof where, "%s%s/%s", directory, group, file);
    f = fopen(where, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* The least on the way from our own group to the root, of whatever version. */
static void control_groups_limit_memory(void **state)
{
    char directory[] = "/tmp/spillway-cgroup-XXXXXX", membership[64], command[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(membership, sizeof membership, "%s/membership", directory);
    assert_true(sw_cgroup_limit_bytes(membership, directory) == UINT64_MAX);
    limit_write(directory, "", "membership", "1:name=systemd:/x\n0::/system.slice/spillwayd.service\n");
    assert_true(sw_cgroup_limit_bytes(membership, directory) == UINT64_MAX);
    limit_write(directory, "/system.slice", "memory.max", "8589934592\n");
    assert_int_equal(sw_cgroup_limit_bytes(membership, directory), 8589934592);
    limit_write(directory, "/system.slice/spillwayd.service", "memory.max", "max\n");
    assert_int_equal(sw_cgroup_limit_bytes(membership, directory), 8589934592);
    limit_write(directory, "/system.slice/spillwayd.service", "memory.max", "1073741824\n");
    assert_int_equal(sw_cgroup_limit_bytes(membership, directory), 1073741824);
    limit_write(directory, "", "memory.max", "4096\n");
    assert_int_equal(sw_cgroup_limit_bytes(membership, directory), 4096);

    limit_write(directory, "/memory/a/b", "memory.limit_in_bytes", "2048\n");
    assert_int_equal(sw_cgroup_limit_bytes(membership, directory), 4096); /* not ours */
    limit_write(directory, "", "membership", "3:cpu,memory:/a/b\n");
    assert_int_equal(sw_cgroup_limit_bytes(membership, directory), 2048);
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations),
        cmocka_unit_test(tcp_endpoints),
        cmocka_unit_test(comments_become_blanks),
        WITH_FILE(a_file_goes_over_the_defaults),
        WITH_FILE(a_broken_line_is_named),
        WITH_FILE(what_is_no_file_is_refused),
        WITH_FILE(too_many_spaces),
        cmocka_unit_test(options_are_checked_against_each_other),
        cmocka_unit_test(control_groups_limit_memory),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
