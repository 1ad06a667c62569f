/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/exec_plugin.h"

#include <errno.h>
#include <signal.h>
#include <linux/close_range.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "lib/core/text/utf8.h"
#include "lib/log.h"
#include "lib/loop.h"

#define PATIENCE_MS 30000
#define LAST_WORDS_MS 1000 /* after it has ended: a child of it may hold the pipes for ever */
#define SAID_MAX 300	   /* of stderr, the end of it */

extern char **environ;

struct exec_plugin {
	uv_process_t process;
	uv_pipe_t out, complaints;
	uv_timer_t timer;
	char *api_version, *command;
	char *text; /* stdout */
	size_t len;
	char said[2 * SAID_MAX]; /* stderr */
	size_t said_len;
	int64_t exit_status;
	bool exited, late;
	int open_pipes, open_handles;
	exec_plugin_done done; /* NULL = told, or cancelled */
	void *ctx;
};

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
	struct exec_plugin *plugin = handle->data;

	if (--plugin->open_handles)
		return;
	free(plugin->api_version);
	free(plugin->command);
	free(plugin->text);
	free(plugin);
}

static void close_all(struct exec_plugin *plugin)
{
	uv_close((uv_handle_t *)&plugin->process, on_closed);
	uv_close((uv_handle_t *)&plugin->out, on_closed);
	uv_close((uv_handle_t *)&plugin->complaints, on_closed);
	uv_close((uv_handle_t *)&plugin->timer, on_closed);
}

/* The end of what it wrote to stderr, on one line. */
static void last_words(const struct exec_plugin *plugin, char out[SAID_MAX])
{
	size_t nr = MIN(plugin->said_len, SAID_MAX - 1);

	memcpy(out, plugin->said + plugin->said_len - nr, nr);
	for (size_t i = 0; i < nr; i++)
		if (strchr("\n\r\t", out[i]))
			out[i] = ' ';
	while (nr && out[nr - 1] == ' ')
		nr--;
	utf8_clean(out, nr, out, SAID_MAX);
}

static int result(struct exec_plugin *plugin, struct exec_credential *ret, struct err *err)
{
	if (plugin->len > EXEC_CREDENTIAL_BYTES)
		return err_set(err, -E2BIG, "it wrote more than %lu bytes", EXEC_CREDENTIAL_BYTES);
	if (plugin->late)
		return err_set(err, -ETIMEDOUT, "it did not end within %d s", PATIENCE_MS / 1000);
	if (plugin->exit_status)
		return err_set(err, -EIO, "exit status %lld", (long long)plugin->exit_status);
	return exec_credential_parse(plugin->text, plugin->len, plugin->api_version,
				     now_wall_ns() / NSEC_PER_SEC, ret, err);
}

static void tell(struct exec_plugin *plugin)
{
	exec_plugin_done done = TAKE_PTR(plugin->done);
	struct exec_credential credential = { 0 };
	struct err why = ERR_INIT, err = ERR_INIT;
	char said[SAID_MAX];
	int r;

	if (!done)
		return;
	r = result(plugin, &credential, &why);
	last_words(plugin, said);
	if (r < 0)
		err_text(&err, "credential plugin %.100s: %s%s%s", plugin->command, why.text,
			 said[0] ? "; it said: " : "", said);
	else if (said[0])
		log_info("a credential plugin says", LOG_STR("command", plugin->command),
			 LOG_STR("text", said));
	done(plugin->ctx, r == 0 ? &credential : NULL, &err);
	exec_credential_release(&credential);
}

static void finish(struct exec_plugin *plugin)
{
	if (!plugin->exited || plugin->open_pipes)
		return;
	close_all(plugin);
	tell(plugin);
}

/* It leads a group of its own, in which its children are.  Once it is reaped the group's number may be
 * another's: what it left behind is let alone, and not listened to. */
static void stop(struct exec_plugin *plugin)
{
	if (!plugin->exited) {
		kill(-plugin->process.pid, SIGKILL);
		uv_process_kill(&plugin->process, SIGKILL);
	}
	uv_read_stop((uv_stream_t *)&plugin->out);
	uv_read_stop((uv_stream_t *)&plugin->complaints);
	plugin->open_pipes = 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct exec_plugin *plugin = timer->data;

	plugin->late = !plugin->exited;
	stop(plugin);
	finish(plugin);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
	struct exec_plugin *plugin = process->data;

	plugin->exited = true;
	plugin->exit_status = signal ? 128 + signal : status;
	uv_timer_start(&plugin->timer, on_timer, LAST_WORDS_MS, 0);
	finish(plugin);
}

/* --- what it writes --- */

static void on_alloc_out(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
	struct exec_plugin *plugin = handle->data;

	(void)suggested;
	/* One byte more than is taken, so that too much is seen. */
	*ret_buf = uv_buf_init(plugin->text + plugin->len,
			       (unsigned int)(EXEC_CREDENTIAL_BYTES + 1 - plugin->len));
}

static void on_pipe_end(struct exec_plugin *plugin, uv_stream_t *pipe)
{
	uv_read_stop(pipe);
	plugin->open_pipes--;
	finish(plugin);
}

static void on_out(uv_stream_t *pipe, ssize_t nr, const uv_buf_t *buf)
{
	struct exec_plugin *plugin = pipe->data;

	(void)buf;
	if (nr < 0) {
		on_pipe_end(plugin, pipe);
		return;
	}
	plugin->len += (size_t)nr;
	if (plugin->len > EXEC_CREDENTIAL_BYTES) {
		stop(plugin);
		finish(plugin);
	}
}

static void on_alloc_said(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
	struct exec_plugin *plugin = handle->data;

	(void)suggested;
	if (plugin->said_len > SAID_MAX) {
		memmove(plugin->said, plugin->said + plugin->said_len - SAID_MAX, SAID_MAX);
		plugin->said_len = SAID_MAX;
	}
	*ret_buf = uv_buf_init(plugin->said + plugin->said_len,
			       (unsigned int)(sizeof(plugin->said) - plugin->said_len));
}

static void on_said(uv_stream_t *pipe, ssize_t nr, const uv_buf_t *buf)
{
	struct exec_plugin *plugin = pipe->data;

	(void)buf;
	if (nr < 0)
		on_pipe_end(plugin, pipe);
	else
		plugin->said_len += (size_t)nr;
}

/* --- the start --- */

static uv_stdio_container_t to_pipe(uv_pipe_t *pipe)
{
	return (uv_stdio_container_t){ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
				       .data.stream = (uv_stream_t *)pipe };
}

static int spawn(struct exec_plugin *plugin, uv_loop_t *loop, const struct kube_config *config,
		 const char *ca)
{
	const struct kube_exec *exec = &config->exec;
	char **env = exec_credential_env(config, ca, environ);
	char **arg = xcalloc(exec->arg_nr + 2, sizeof(*arg));
	uv_stdio_container_t io[3] = {
		{ .flags = UV_IGNORE },
		to_pipe(&plugin->out),
		to_pipe(&plugin->complaints),
	};
	const uv_process_options_t options = {
		.exit_cb = on_exit_status,
		.file = exec->command,
		.args = arg,
		.env = env,
		.stdio = io,
		.stdio_count = ARRAY_SIZE(io),
		.flags = UV_PROCESS_DETACHED,
	};
	int r;

	arg[0] = exec->command;
	for (size_t i = 0; i < exec->arg_nr; i++)
		arg[i + 1] = exec->arg[i];
	/* Connections are not for plugins, and libraries do not mark all of theirs. */
	(void)!close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	r = uv_spawn(loop, &plugin->process, &options);
	exec_credential_env_free(env);
	free(arg);
	return r;
}

struct exec_plugin *exec_plugin_run(struct uv_loop_s *loop, const struct kube_config *config,
				    const char *ca, exec_plugin_done done, void *ctx,
				    struct err *err)
{
	struct exec_plugin *plugin = xcalloc(1, sizeof(*plugin));
	const char *hint = config->exec.install_hint;
	int r;

	plugin->api_version = xstrdup(config->exec.api_version);
	plugin->command = xstrdup(config->exec.command);
	plugin->text = xmalloc(EXEC_CREDENTIAL_BYTES + 1);
	plugin->ctx = ctx;
	plugin->open_handles = 4;
	uv_pipe_init(loop, &plugin->out, 0);
	uv_pipe_init(loop, &plugin->complaints, 0);
	uv_timer_init(loop, &plugin->timer);
	r = spawn(plugin, loop, config, ca);
	plugin->process.data = plugin->out.data = plugin->complaints.data = plugin->timer.data =
		plugin;
	if (r < 0) {
		err_set(err, r, "credential plugin %.100s: %s%s%.300s", plugin->command,
			uv_strerror(r), hint ? "; " : "", hint ? hint : "");
		close_all(plugin);
		return NULL;
	}
	plugin->done = done;
	plugin->open_pipes = 2;
	uv_timer_start(&plugin->timer, on_timer, PATIENCE_MS, 0);
	uv_read_start((uv_stream_t *)&plugin->out, on_alloc_out, on_out);
	uv_read_start((uv_stream_t *)&plugin->complaints, on_alloc_said, on_said);
	return plugin;
}

void exec_plugin_cancel(struct exec_plugin *plugin)
{
	if (!plugin)
		return;
	plugin->done = NULL;
	stop(plugin);
	finish(plugin);
}
