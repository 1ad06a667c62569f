/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/source/source_dir.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define WATCH_MASK                                                                                 \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB |        \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define READ_BUDGET_NS (20 * NSEC_PER_MSEC)
#define MISSING_RETRY_MS 100

struct source_dir {
	char *path;
	struct source_sink sink;
	struct source_files *files;
	int inotify, watch; /* watch -1 = the directory is missing */
	dev_t dev;	    /* of the directory that is watched */
	ino_t ino;
	bool must_scan, settled_only, closing;
	int64_t scan_at_ns; /* CLOCK_BOOTTIME of the next comparison of everything */
	uv_poll_t poll;
	uv_timer_t timer;
	int open_handles;
	struct metric *refused, *file_nr, *object_nr, *reads, *rescans;
};

static void count(struct source_dir *dir)
{
	struct source_files_counts counts;

	source_files_count(dir->files, &counts);
	metric_set(dir->refused, (double)counts.refused);
	metric_set(dir->file_nr, (double)counts.files);
	metric_set(dir->object_nr, (double)counts.objects);
	metric_set(dir->reads, (double)counts.reads);
}

/* --- the watch --- */

static int watch(struct source_dir *dir)
{
	struct stat st;
	int wd = inotify_add_watch(dir->inotify, dir->path, WATCH_MASK);

	if (wd < 0)
		return -errno;
	dir->watch = wd;
	if (stat(dir->path, &st) == 0) {
		dir->dev = st.st_dev;
		dir->ino = st.st_ino;
	}
	dir->must_scan = true;
	dir->settled_only = false;
	return 0;
}

static void unwatch(struct source_dir *dir)
{
	if (dir->watch < 0)
		return;
	inotify_rm_watch(dir->inotify, dir->watch);
	dir->watch = -1;
	dir->must_scan = true;
}

/* Is the path still the directory that is watched?  (It may be a link that was turned.) */
static bool still_watched(const struct source_dir *dir)
{
	struct stat st;

	return stat(dir->path, &st) == 0 && st.st_dev == dir->dev && st.st_ino == dir->ino;
}

static bool ensure_watch(struct source_dir *dir)
{
	bool was_missing = dir->watch < 0;
	int r;

	if (!was_missing && still_watched(dir))
		return true;
	unwatch(dir);
	r = watch(dir);
	if (r == 0) {
		log_info("source directory is there again, reading all of it",
			 LOG_STR("dir", dir->path));
		return true;
	}
	if (!was_missing)
		log_error("source directory is gone, its last good state stays in force, "
			  "looking again every 100ms",
			  LOG_STR("dir", dir->path), LOG_STR("err", strerror(-r)));
	return false;
}

/* --- one pass: compare if need be, read, tell --- */

static void scan(struct source_dir *dir)
{
	struct err err = ERR_INIT;
	int64_t now_ns = now_boot_ns();
	int young = source_files_scan(dir->files, dir->settled_only, now_ns, now_wall_ns(), &err);

	metric_add(dir->rescans, 1);
	dir->must_scan = false;
	dir->settled_only = true;
	dir->scan_at_ns =
		now_ns + (young > 0 ? SOURCE_SETTLED_NS : SOURCE_RESCAN_MS * NSEC_PER_MSEC);
	if (young < 0)
		log_warn("source directory cannot be read, retrying in 10s", LOG_ERR(&err));
}

static void run(struct source_dir *dir);

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void rearm(struct source_dir *dir, bool more)
{
	int64_t now_ns = now_boot_ns();
	int64_t next_ns = MIN(dir->scan_at_ns, source_files_next_gone(dir->files));
	int64_t wait_ms = MAX((next_ns - now_ns) / NSEC_PER_MSEC + 1, 0);

	if (dir->watch < 0)
		wait_ms = MISSING_RETRY_MS;
	if (more)
		wait_ms = 0;
	uv_timer_start(&dir->timer, on_timer, (uint64_t)wait_ms, 0);
}

/* The whole state again: what changed, what is due. */
static void run(struct source_dir *dir)
{
	struct source_files_counts before, after;
	bool more = false;

	if (dir->closing)
		return;
	if (dir->watch < 0 || now_boot_ns() >= dir->scan_at_ns)
		dir->must_scan = true;
	source_files_count(dir->files, &before);
	if (!dir->must_scan || ensure_watch(dir)) {
		if (dir->must_scan)
			scan(dir);
		more = source_files_read(dir->files, now_boot_ns(), READ_BUDGET_NS);
		source_files_count(dir->files, &after);
		if (after.reads != before.reads || after.files != before.files ||
		    after.objects != before.objects)
			dir->sink.settled(dir->sink.ctx);
	}
	count(dir);
	rearm(dir, more);
}

/* --- events --- */

/* IN_CREATE tells of links, which nobody writes to and closes. */
static bool is_link(const struct source_dir *dir, const char *name)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir->path, name);
	struct stat st;

	return lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
}

static void on_name(struct source_dir *dir, uint32_t mask, const char *name)
{
	/* ..data and its like: every link through it may show something else. */
	if (strncmp(name, "..", 2) == 0) {
		dir->must_scan = true;
		dir->settled_only = false;
		return;
	}
	if (!source_files_name(name))
		return;
	if (mask & (IN_MOVED_FROM | IN_DELETE))
		source_files_gone(dir->files, name, now_boot_ns());
	else if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO) || (mask & IN_CREATE && is_link(dir, name)))
		source_files_touch(dir->files, name);
	else if (mask & IN_ATTRIB)
		source_files_retry(dir->files, name);
}

static void on_inotify(struct source_dir *dir, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		log_info("file events were lost, comparing the whole source directory",
			 LOG_STR("dir", dir->path));
		dir->must_scan = true;
		return;
	}
	if (event->wd != dir->watch)
		return;
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
		dir->must_scan = true;
		dir->settled_only = false;
	}
	if (event->len)
		on_name(dir, event->mask, event->name);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	char buf[64 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct source_dir *dir = poll->data;
	ssize_t n;

	(void)status;
	(void)events;
	while ((n = read(dir->inotify, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(buf + at);

			on_inotify(dir, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	run(dir);
}

/* --- life --- */

static void free_dir(struct source_dir *dir)
{
	source_files_free(dir->files);
	if (dir->inotify >= 0)
		close(dir->inotify);
	free(dir->path);
	free(dir);
}

static void on_closed(uv_handle_t *handle)
{
	struct source_dir *dir = handle->data;

	if (--dir->open_handles == 0)
		free_dir(dir);
}

void source_dir_close(struct source_dir *dir)
{
	if (!dir || dir->closing)
		return;
	dir->closing = true;
	uv_close((uv_handle_t *)&dir->poll, on_closed);
	uv_close((uv_handle_t *)&dir->timer, on_closed);
}

static void make_metrics(struct source_dir *dir, struct metrics *m)
{
	dir->refused =
		metrics_gauge(m, "rubato_controller_manifests_refused",
			      "Manifest files that are refused; their last good state is in force.",
			      METRIC_NO_LABELS);
	dir->file_nr = metrics_gauge(m, "rubato_controller_manifests",
				     "Manifest files in the source directory.", METRIC_NO_LABELS);
	dir->object_nr = metrics_gauge(m, "rubato_controller_manifest_objects",
				       "Objects that the manifests define.", METRIC_NO_LABELS);
	dir->reads = metrics_counter(m, "rubato_controller_manifest_reads_total",
				     "Manifest files read.", METRIC_NO_LABELS);
	dir->rescans =
		metrics_counter(m, "rubato_controller_source_rescans_total",
				"Comparisons of the whole source directory.", METRIC_NO_LABELS);
}

int source_dir_new(struct uv_loop_s *loop, const struct source_dir_options *options,
		   const struct source_sink *sink, struct source_dir **ret_dir, struct err *err)
{
	struct source_dir *dir = xcalloc(1, sizeof(*dir));
	int r;

	dir->path = xstrdup(options->path);
	dir->sink = *sink;
	dir->files = source_files_new(options->path, sink);
	dir->watch = -1;
	dir->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	r = dir->inotify < 0 ? -errno : watch(dir);
	if (r < 0) {
		err_set(err, r, "source directory %s: %s", dir->path, strerror(-r));
		free_dir(dir);
		return r;
	}
	make_metrics(dir, options->metrics);
	uv_poll_init(loop, &dir->poll, dir->inotify);
	uv_timer_init(loop, &dir->timer);
	dir->poll.data = dir->timer.data = dir;
	dir->open_handles = 2;
	uv_poll_start(&dir->poll, UV_READABLE, on_readable);
	scan(dir);
	while (source_files_read(dir->files, now_boot_ns(), READ_BUDGET_NS))
		;
	count(dir);
	dir->sink.settled(dir->sink.ctx);
	rearm(dir, false);
	*ret_dir = dir;
	return 0;
}

const struct source_files *source_dir_files(const struct source_dir *dir)
{
	return dir->files;
}

bool source_dir_ok(const struct source_dir *dir, struct err *ret_why)
{
	if (dir->watch >= 0)
		return true;
	err_set(ret_why, -ENOENT, "source directory %s is missing", dir->path);
	return false;
}
