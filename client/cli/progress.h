/*
 * How far a long transfer is: a bar on a terminal, a line now and then elsewhere if it is asked for, else silence.
 * Drawn on stderr, so that standard output stays clean.
 */
#ifndef SW_CLI_PROGRESS_H
#define SW_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct sw_progress {
    const char *verb; /* "import" */
    uint64_t tensors, tensors_done;
    uint64_t bytes, bytes_done;
    uint64_t start_ms, drawn_ms;
    bool bar, lines;
};

/* Milliseconds of a clock that never jumps. */
uint64_t sw_clock_ms(void);

void sw_progress_start(struct sw_progress *progress, const char *verb, uint64_t tensors, uint64_t bytes, bool asked);

/* One more tensor is done. */
void sw_progress_add(struct sw_progress *progress, uint64_t bytes);

/* Draws if the last drawing is old enough; call it whenever there is a moment. */
void sw_progress_tick(struct sw_progress *progress);

/* Takes the bar away. What is left to say is the caller's. */
void sw_progress_finish(struct sw_progress *progress);

/* "12.3 MB/s" since the start, in millions of bytes. Returns text, of at least 32 bytes. */
char *sw_progress_rate(const struct sw_progress *progress, char *text);

#endif
