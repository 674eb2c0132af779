#include "client/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/show.h"

/* A bar moves as fast as an eye follows; lines go to logs, which should stay short. */
#define BAR_PERIOD_MS 100
#define LINE_PERIOD_MS 2000
#define BAR_CELLS 24

uint64_t sw_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sw_progress_start(struct sw_progress *progress, const char *verb, uint64_t tensors, uint64_t bytes, bool asked)
{
    bool terminal = isatty(STDERR_FILENO);
    *progress = (struct sw_progress){.verb = verb,
                                     .tensors = tensors,
                                     .bytes = bytes,
                                     .start_ms = sw_clock_ms(),
                                     .bar = terminal,
                                     .lines = asked && !terminal};
}

static double seconds_since_start(const struct sw_progress *progress)
{
    return (double)(sw_clock_ms() - progress->start_ms) / 1e3 + 1e-4; /* never 0 */
}

/* Decimal megabytes, as disks and networks are sold and other tools report. */
char *sw_progress_rate(const struct sw_progress *progress, char *text)
{
    snprintf(text, SW_SHOW_BYTES, "%.1f MB/s", (double)progress->bytes_done / 1e6 / seconds_since_start(progress));
    return text;
}

static double share_done(const struct sw_progress *progress)
{
    return progress->bytes > 0 ? (double)progress->bytes_done / (double)progress->bytes : 1;
}

static void show_eta(const struct sw_progress *progress, char *text)
{
    if (progress->bytes_done == 0) {
        strcpy(text, "-:--");
        return;
    }
    uint64_t left_s = (uint64_t)(seconds_since_start(progress) * (1 / share_done(progress) - 1) + 0.5);
    snprintf(text, SW_SHOW_BYTES, "%" PRIu64 ":%02" PRIu64, left_s / 60, left_s % 60);
}

static void draw(const struct sw_progress *progress, char *line, size_t cap)
{
    char done[SW_SHOW_BYTES], all[SW_SHOW_BYTES], rate[SW_SHOW_BYTES], eta[SW_SHOW_BYTES];
    char cells[BAR_CELLS + 1];
    int full = (int)(share_done(progress) * BAR_CELLS);
    memset(cells, '.', BAR_CELLS);
    memset(cells, '#', (size_t)full);
    cells[BAR_CELLS] = 0;
    show_eta(progress, eta);
    snprintf(line, cap, "%s%s%s%s%3.0f%%  %" PRIu64 "/%" PRIu64 " tensors  %s/%s  %s  ETA %s", progress->verb,
             progress->bar ? " [" : " ", progress->bar ? cells : "", progress->bar ? "] " : "",
             100 * share_done(progress), progress->tensors_done, progress->tensors,
             sw_show_size(progress->bytes_done, done), sw_show_size(progress->bytes, all),
             sw_progress_rate(progress, rate), eta);
}

/* A line wider than the terminal would wrap, and the next one not overwrite it. */
static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size.ws_col - 1;
    return 79;
}

void sw_progress_tick(struct sw_progress *progress)
{
    char line[256];
    uint64_t now_ms = sw_clock_ms();
    uint64_t period_ms = progress->bar ? BAR_PERIOD_MS : LINE_PERIOD_MS;
    if ((!progress->bar && !progress->lines) || now_ms - progress->drawn_ms < period_ms)
        return;
    progress->drawn_ms = now_ms;
    draw(progress, line, sizeof line);
    if (progress->bar)
        fprintf(stderr, "\r%.*s\033[K", terminal_width(), line);
    else
        fprintf(stderr, "%s\n", line);
}

void sw_progress_add(struct sw_progress *progress, uint64_t bytes)
{
    progress->tensors_done++;
    progress->bytes_done += bytes;
    sw_progress_tick(progress);
}

void sw_progress_finish(struct sw_progress *progress)
{
    if (progress->bar)
        fprintf(stderr, "\r\033[K");
}
