/* Tables: collected as text first, because a column is as wide as its widest cell. */
#include "client/cli/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/explain.h"

#define MAX_COLUMNS 16

void sw_table_init(struct sw_table *table, const char *const *head)
{
    memset(table, 0, sizeof *table);
    table->head = head;
    while (head[table->columns] != NULL)
        table->columns++;
}

void sw_table_finish(struct sw_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
}

void sw_table_add(struct sw_table *table, const char *format, ...)
{
    va_list args;
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 256 : 2 * table->cap;
        char **cells = realloc(table->cells, cap * sizeof *cells);
        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->cap = cap;
    }
    va_start(args, format);
    if (vasprintf(&table->cells[table->count], format, args) < 0)
        table->failed = true;
    else
        sw_text_defuse(table->cells[table->count++]);
    va_end(args);
}

/* Columns on a terminal, near enough: UTF-8 continuation bytes take no room. */
static int shown_width(const char *text)
{
    int width = 0;
    for (; *text != 0; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static bool flush_right(const struct sw_table *table, size_t column)
{
    return table->head[column][0] == '>';
}

static const char *title(const struct sw_table *table, size_t column)
{
    return table->head[column] + flush_right(table, column);
}

static void print_cell(const struct sw_table *table, size_t column, const char *text, int width)
{
    int padding = width - shown_width(text);
    if (column == table->columns - 1)
        printf("%s\n", text);
    else if (flush_right(table, column))
        printf("%*s%s  ", padding, "", text);
    else
        printf("%s%*s  ", text, padding, "");
}

int sw_table_print(const struct sw_table *table, struct sw_error *err)
{
    int widths[MAX_COLUMNS] = {0};
    if (table->failed)
        return sw_error_explain(err, SW_NO_MEMORY, "out of memory");
    for (size_t c = 0; c < table->columns; c++)
        widths[c] = shown_width(title(table, c));
    for (size_t i = 0; i < table->count; i++) {
        int width = shown_width(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t c = 0; c < table->columns; c++)
        print_cell(table, c, title(table, c), widths[c]);
    for (size_t i = 0; i < table->count; i++)
        print_cell(table, i % table->columns, table->cells[i], widths[i % table->columns]);
    return 0;
}
