#include "policies/glob.h"

#include <string.h>

#include "policies/policy.h"
#include "policies/utf8.h"

/* Behind the bracket that ends the class that begins at `glob`, or NULL with *why set. */
static const char *class_end(const char *glob, const char **why)
{
    const char *at = glob + 1;
    at += *at == '!';
    const char *first = at;
    for (; *at != ']'; at++) {
        if (*at == '\0') {
            *why = "a glob's [ is never closed: write [a-z], or [[] for the bracket itself";
            return NULL;
        }
        if (*at < ' ' || *at > '~') {
            *why = "a glob's [...] holds printable ASCII only: write ? for another character";
            return NULL;
        }
        if (*at == '-' && at > first && at[1] != ']' && at[1] != '\0' && (unsigned char)at[-1] > (unsigned char)at[1]) {
            *why = "a glob's range runs backwards: write [a-z]";
            return NULL;
        }
    }
    if (at == first) {
        *why = "a glob's [] is empty: write what it may hold, as in [a-z]";
        return NULL;
    }
    return at + 1;
}

const char *sw_glob_fault(const char *glob)
{
    size_t stars = 0;
    const char *why = NULL;
    if (strlen(glob) >= SW_POLICY_GLOB_BYTES)
        return "a glob has at most 256 bytes";
    while (*glob != '\0') {
        uint32_t code;
        size_t len = sw_utf8_read(glob, &code);
        if (len == 0 || !sw_utf8_printable(code))
            return "a glob holds a control character or broken UTF-8: write ? for it";
        if (*glob == '*' && ++stars > SW_POLICY_GLOB_STARS)
            return "a glob has at most 8 stars: split the policy in two";
        glob = *glob == '[' ? class_end(glob, &why) : glob + len;
        if (glob == NULL)
            return why;
    }
    return NULL;
}

/* Bytes of the name's first character; a broken one counts byte by byte. */
static size_t character(const char *name)
{
    uint32_t code;
    size_t len = sw_utf8_read(name, &code);
    return len == 0 ? 1 : len;
}

/* Whether the class between `at` and its bracket holds this byte. */
static bool class_holds(const char *at, char byte)
{
    unsigned char b = (unsigned char)byte;
    bool found = false;
    for (const char *first = at; *at != ']'; at++) {
        if (*at == '-' && at > first && at[1] != ']')
            found |= (unsigned char)at[-1] <= b && b <= (unsigned char)at[1];
        else
            found |= *at == byte;
    }
    return found;
}

/* Takes one element of the glob, no star, off both. False: the name does not begin so. Adds to *steps. */
static bool take(const char **glob, const char **name, size_t *steps)
{
    const char *g = *glob;
    ++*steps;
    if (*g == '[') {
        bool negated = g[1] == '!';
        const char *end = strchr(g + 1, ']');
        *steps += (size_t)(end - g);
        if (class_holds(g + 1 + negated, **name) == negated)
            return false;
        *glob = end + 1;
        *name += character(*name);
        return true;
    }
    if (*g != '?' && *g != **name)
        return false;
    *glob = g + 1;
    *name += *g == '?' ? character(*name) : 1;
    return true;
}

/*
 * On a mismatch only the last star gives way, by one character: what an earlier one took can stay, since the later one
 * takes all that comes between. So every byte of the name is tried against each of the glob once at most.
 */
bool sw_glob_match(const char *glob, const char *name, size_t *steps)
{
    const char *star = NULL, *resume = NULL;
    size_t counted = 0;
    bool alive = true;
    while (alive && (*name != '\0' || *glob == '*')) {
        if (*glob == '*') {
            star = ++glob;
            resume = name;
            counted++;
        } else if (*glob == '\0' || !take(&glob, &name, &counted)) {
            alive = star != NULL && *resume != '\0';
            if (alive) {
                resume += character(resume);
                name = resume;
                glob = star;
            }
        }
    }
    if (steps != NULL)
        *steps = counted;
    return alive && *glob == '\0';
}
