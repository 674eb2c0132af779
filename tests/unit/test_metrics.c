/* Numbers as OpenMetrics and as JSON: names, units, escapes, and values that are no numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/stats/metrics.h"

static const struct sw_metric items[] = {
    {"puts", "puts completed", SW_METRIC_COUNTER, 7},
    {"get_bytes", "bytes handed out", SW_METRIC_COUNTER, UINT64_MAX},
    {"encode_ns", "time spent", SW_METRIC_COUNTER, 1500000000},
    {"uptime_ms", "time since the start", SW_METRIC_GAUGE, 250},
};

static char *render(const struct sw_metrics *metrics)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    sw_metrics_openmetrics(metrics, to);
    fclose(to);
    return text;
}

static void test_families(void **state)
{
    struct sw_metrics metrics = {.version = "1.2", .items = items, .count = sizeof items / sizeof items[0]};
    static const char expected[] = "# TYPE spillway_build info\n"
                                   "# HELP spillway_build version of the daemon\n"
                                   "spillway_build_info{version=\"1.2\"} 1\n"
                                   "# TYPE spillway_puts counter\n"
                                   "# HELP spillway_puts puts completed\n"
                                   "spillway_puts_total 7\n"
                                   "# TYPE spillway_get_bytes counter\n"
                                   "# UNIT spillway_get_bytes bytes\n"
                                   "# HELP spillway_get_bytes bytes handed out\n"
                                   "spillway_get_bytes_total 18446744073709551615\n"
                                   "# TYPE spillway_encode_seconds counter\n"
                                   "# UNIT spillway_encode_seconds seconds\n"
                                   "# HELP spillway_encode_seconds time spent\n"
                                   "spillway_encode_seconds_total 1.5\n"
                                   "# TYPE spillway_uptime_seconds gauge\n"
                                   "# UNIT spillway_uptime_seconds seconds\n"
                                   "# HELP spillway_uptime_seconds time since the start\n"
                                   "spillway_uptime_seconds 0.25\n"
                                   "# EOF\n";

    (void)state;
    char *text = render(&metrics);
    assert_string_equal(text, expected);
    free(text);
}

static void test_coding(void **state)
{
    const struct sw_metric_coding coding[] = {
        {.run = "", .kind = 1, .tensors = 3, .max_relative_error = 0.5, .mean_relative_error = NAN},
        {.run = "a\"b\\c\nd", .kind = 77, .tensors = 4, .max_relative_error = INFINITY},
    };
    struct sw_metrics metrics = {.version = "1", .coding = coding, .coding_count = 2};

    (void)state;
    char *text = render(&metrics);
    assert_non_null(strstr(text, "# HELP spillway_coding_tensors tensors stored\n"
                                 "spillway_coding_tensors_total{run=\"\",kind=\"activation\"} 3\n"
                                 "spillway_coding_tensors_total{run=\"a\\\"b\\\\c\\nd\",kind=\"other\"} 4\n"));
    assert_non_null(strstr(text, "spillway_coding_max_relative_error{run=\"\",kind=\"activation\"} 0.5\n"));
    assert_non_null(strstr(text, "spillway_coding_mean_relative_error{run=\"\",kind=\"activation\"} NaN\n"));
    assert_non_null(strstr(text, "kind=\"other\"} +Inf\n"));
    free(text);
}

static void test_json(void **state)
{
    const struct sw_metric_coding coding[] = {{.run = "r", .kind = 2, .tensors = 3, .mean_relative_error = NAN}};
    struct sw_metrics metrics = {.version = "1", .items = items, .count = 1, .coding = coding, .coding_count = 1};

    (void)state;
    char *text = sw_metrics_json(&metrics);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"version\":\"1\""));
    assert_non_null(strstr(text, "\"puts\":7"));
    assert_non_null(strstr(text, "\"kind\":\"weight\""));
    assert_non_null(strstr(text, "\"mean_relative_error\":null"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_coding),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
