/* How values look to people: sizes, shapes, ages, and tables whose columns line up. */
#ifndef SW_CLI_SHOW_H
#define SW_CLI_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <spillway/client.h>

#define SW_SHOW_BYTES 32        /* enough for size, age and rate */
#define SW_SHOW_SHAPE_BYTES 128 /* longer shapes are cut */

/* "512 B", "1.5 KiB", "20.0 GiB". Returns text, as all of these do. */
char *sw_show_size(uint64_t bytes, char text[SW_SHOW_BYTES]);

/* "850 ms", "12 s", "3 min", "5 h", "2 d". */
char *sw_show_age(uint64_t age_ms, char text[SW_SHOW_BYTES]);

/* "1.53x"; "-" when nothing is stored. */
char *sw_show_ratio(uint64_t raw_bytes, uint64_t stored_bytes, char text[SW_SHOW_BYTES]);

/* "[256,1024]", "[]" for a scalar. */
char *sw_show_shape(uint32_t ndim, const uint64_t *shape, char text[SW_SHOW_SHAPE_BYTES]);

json_t *sw_json_shape(uint32_t ndim, const uint64_t *shape);
json_t *sw_json_info(const struct sw_info *info);

/* Prints and releases. */
void sw_json_print(json_t *value);

/*
 * A table of text cells, printed when it is complete. The last column is flush left and may be of any length, names
 * stand there; all others are flush right where the head begins with '>' (which is not shown), else flush left.
 */
struct sw_table {
    const char *const *head; /* column titles, NULL at the end; borrowed */
    size_t columns;
    char **cells;
    size_t count, cap; /* of cells */
    bool failed;       /* out of memory: printing says so */
};

void sw_table_init(struct sw_table *table, const char *const *head);
void sw_table_finish(struct sw_table *table);

/* Adds the next cell, row by row. */
__attribute__((format(printf, 2, 3))) void sw_table_add(struct sw_table *table, const char *format, ...);

/* To standard output. 0, or SW_NO_MEMORY when a cell could not be added. */
int sw_table_print(const struct sw_table *table, struct sw_error *err);

#endif
