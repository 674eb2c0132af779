#include <stddef.h>
#include <string.h>

#include "codec/kernels/table.h"
#include "codec/kernels/x86.h"

#if SW_KERNELS_X86
/* __builtin_cpu_supports asks the OS too: registers that it does not save count as missing. */
static bool avx2_usable(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

static bool avx512_usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("gfni") && __builtin_cpu_supports("bmi2");
}
#endif

/* A tier that this build has, and how to learn whether CPU and OS can run it. NULL: always. */
static const struct {
    const struct sw_kernels *table;
    bool (*usable)(void);
} tiers[] = {
    {&sw_kernels_scalar, NULL},
#if SW_KERNELS_X86
    {&sw_kernels_avx2, avx2_usable},
    {&sw_kernels_avx512, avx512_usable},
#endif
};

#define TIER_COUNT (sizeof tiers / sizeof tiers[0])

/* Whether the comma-separated list has this name. */
static bool list_has(const char *list, const char *name)
{
    size_t name_len = strlen(name);

    while (*list != '\0') {
        size_t len = strcspn(list, ",");

        if (len == name_len && memcmp(list, name, len) == 0)
            return true;
        list += len;
        list += *list == ',';
    }
    return false;
}

const struct sw_kernels *sw_kernels_select(const char *disable)
{
    /* Best last. Portable C is what remains when all else is disabled, so it cannot be. */
    for (size_t i = TIER_COUNT - 1; i > 0; i--) {
        bool disabled = disable != NULL && list_has(disable, tiers[i].table->name);

        if (!disabled && (tiers[i].usable == NULL || tiers[i].usable()))
            return tiers[i].table;
    }
    return &sw_kernels_scalar;
}

const struct sw_kernels *sw_kernels_tier(enum sw_tier tier)
{
    for (size_t i = 0; i < TIER_COUNT; i++)
        if (tiers[i].table->tier == tier && (tiers[i].usable == NULL || tiers[i].usable()))
            return tiers[i].table;
    return NULL;
}

const char *sw_kernels_name(const struct sw_kernels *k)
{
    return k->name;
}
