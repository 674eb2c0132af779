/* The control plane's parts that need no server: the descriptors that are built in, the methods, histories that fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/control/descriptors.h"
#include "daemon/control/services.h"
#include "daemon/control/status.h"
#include "daemon/control/thin.h"

/* Whether the file is the one of this name, which stands first in it. */
static bool is_file(const struct sw_proto_file *file, const char *name)
{
    return file->len > 2 + strlen(name) && file->bytes[0] == 0x0a && file->bytes[1] == strlen(name) &&
           memcmp(file->bytes + 2, name, strlen(name)) == 0;
}

static void test_symbols(void **state)
{
    static const struct {
        const char *symbol, *file;
    } known[] = {
        {"spillway.v1.Objects", "control.proto"},
        {"spillway.v1.Objects.ListGroups", "control.proto"},
        {"spillway.v1.Policy", "policy.proto"},
        {"spillway.v1.Kind", "policy.proto"},
        {"spillway.v1.Put", "spillway.proto"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "health.proto"},
        {"grpc.reflection.v1.ServerReflection", "reflection_v1.proto"},
        {"grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo", "reflection.proto"},
    };
    static const char *const unknown[] = {
        "",
        ".",
        "spillway",
        "spillway.v1",
        "spillway.v1.",
        "spillway.v1.Object",
        "spillway.v1.Objectss",
        "spillway.v1.Objects.",
        "spillway.v1.Objects.List.x",
        "Objects",
        "spillway.v1..Objects",
    };
    struct sw_proto_file file;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(sw_descriptors_by_symbol(known[i].symbol, &file));
        assert_true(is_file(&file, known[i].file));
    }
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (sw_descriptors_by_symbol(unknown[i], &file))
            fail_msg("\"%s\" was found", unknown[i]);
}

static void test_files(void **state)
{
    struct sw_proto_file file, files[3];

    (void)state;
    assert_false(sw_descriptors_by_name("", &file));
    assert_false(sw_descriptors_by_name("none.proto", &file));
    assert_true(sw_descriptors_by_name("control.proto", &file));
    assert_int_equal(sw_descriptors_with_imports(&file, files, 3), 3);
    assert_true(is_file(&files[0], "control.proto"));
    assert_int_equal(sw_descriptors_with_imports(&file, files, 2), 0);
    assert_true(sw_descriptors_by_name("policy.proto", &file));
    assert_int_equal(sw_descriptors_with_imports(&file, files, 3), 1);
}

static void test_methods(void **state)
{
    static const char *const unknown[] = {"",
                                          "/",
                                          "//",
                                          "spillway.v1.Objects/List",
                                          "/spillway.v1.Objects",
                                          "/spillway.v1.Objects/",
                                          "/spillway.v1.Objects/Lis",
                                          "/spillway.v1.Objects/Lists",
                                          "/spillway.v1.Objects/List/"};
    const ProtobufCMethodDescriptor *descriptor;
    const struct sw_method *method;
    char path[200];

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_false(sw_services_find(unknown[i], strlen(unknown[i]), &method, &descriptor));
    for (const struct sw_service *const *s = sw_services; *s; s++)
        for (unsigned i = 0; i < (*s)->descriptor->n_methods; i++) {
            snprintf(path, sizeof path, "/%s/%s", sw_service_name(*s), (*s)->descriptor->methods[i].name);
            assert_true(sw_services_find(path, strlen(path), &method, &descriptor));
            assert_ptr_equal(descriptor, &(*s)->descriptor->methods[i]);
            assert_non_null(method->handle);
        }
}

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(sw_status_grpc(SW_OK), GRPC_STATUS_OK);
    assert_int_equal(sw_status_grpc(SW_NO_RUN), GRPC_STATUS_NOT_FOUND);
    assert_int_equal(sw_status_grpc(SW_STALE), GRPC_STATUS_ABORTED);
    assert_int_equal(sw_status_grpc(SW_DENIED), GRPC_STATUS_PERMISSION_DENIED);
    assert_int_equal(sw_status_grpc(-2), GRPC_STATUS_INTERNAL);
    assert_int_equal(sw_status_grpc(-9999), GRPC_STATUS_INTERNAL);
}

#define SERIES 3
#define STEPS 100

struct history {
    Spillway__V1__Bitlengths room[SERIES * STEPS], *points[SERIES * STEPS];
};

/* Interleaved, as runs give it: all series of a step, then the next step. */
static void make_history(struct history *h)
{
    static char *const tensors[SERIES] = {"b", "a", "c"};

    for (size_t i = 0; i < SERIES * STEPS; i++) {
        spillway__v1__bitlengths__init(&h->room[i]);
        h->room[i].policy = "policy";
        h->room[i].tensor = tensors[i % SERIES];
        h->room[i].effective_step = 1 + i / SERIES;
        h->points[i] = &h->room[i];
    }
}

static size_t packed(Spillway__V1__Bitlengths **points, size_t count)
{
    Spillway__V1__GetRunDone done = SPILLWAY__V1__GET_RUN_DONE__INIT;

    done.history = points;
    done.n_history = count;
    return spillway__v1__get_run_done__get_packed_size(&done);
}

static void test_history_that_fits(void **state)
{
    struct history h;
    Spillway__V1__Bitlengths **kept;
    size_t count;

    (void)state;
    make_history(&h);
    assert_int_equal(sw_history_thin(h.points, SERIES * STEPS, 1 << 20, &kept, &count), 0);
    assert_int_equal(count, SERIES * STEPS);
    for (size_t i = 1; i < count; i++)
        assert_true(kept[i - 1]->effective_step <= kept[i]->effective_step);
    free(kept);
    assert_int_equal(sw_history_thin(h.points, 0, 1 << 20, &kept, &count), 0);
    assert_int_equal(count, 0);
    free(kept);
}

static void test_history_that_does_not(void **state)
{
    struct history h;
    Spillway__V1__Bitlengths **kept;
    size_t count, newest = 0;

    (void)state;
    for (size_t cap = 10000; cap >= 100; cap /= 2) {
        make_history(&h);
        assert_int_equal(sw_history_thin(h.points, SERIES * STEPS, cap, &kept, &count), 0);
        assert_true(count == SERIES || packed(kept, count) <= cap);
        newest = 0;
        for (size_t i = 0; i < count; i++)
            newest += kept[i]->effective_step == STEPS;
        assert_int_equal(newest, SERIES);
        free(kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols),           cmocka_unit_test(test_files),
        cmocka_unit_test(test_methods),           cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_history_that_fits), cmocka_unit_test(test_history_that_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
