/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/exec_plugin.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

#define PATIENCE_MS 60000

extern char **environ;

struct exec_plugin {
	uv_process_t process;
	uv_pipe_t out;
	uv_timer_t timer;
	char *api_version, *command, *hint;
	char *text; /* what it has written */
	size_t len;
	int64_t exit_status;
	bool exited, read_all, killed;
	int open_handles;
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
	free(plugin->hint);
	free(plugin->text);
	free(plugin);
}

static int result(struct exec_plugin *plugin, struct exec_credential *ret, struct err *err)
{
	int r;

	if (plugin->killed)
		return err_set(err, -ETIMEDOUT, "credential plugin %s: did not end within 60 s",
			       plugin->command);
	if (plugin->exit_status)
		return err_set(err, -EIO, "credential plugin %s: exit status %lld", plugin->command,
			       (long long)plugin->exit_status);
	if (plugin->len > EXEC_CREDENTIAL_BYTES)
		return err_set(err, -E2BIG, "credential plugin %s: wrote too much",
			       plugin->command);
	r = exec_credential_parse(plugin->text, plugin->len, plugin->api_version, ret, err);
	return r < 0 ? err_wrap(err, r, "credential plugin %s", plugin->command) : 0;
}

static void finish(struct exec_plugin *plugin)
{
	struct exec_credential credential = { 0 };
	struct err err = ERR_INIT;
	exec_plugin_done done;
	int r;

	if (!plugin->exited || !plugin->read_all)
		return;
	done = TAKE_PTR(plugin->done);
	r = result(plugin, &credential, &err);
	uv_close((uv_handle_t *)&plugin->process, on_closed);
	uv_close((uv_handle_t *)&plugin->out, on_closed);
	uv_close((uv_handle_t *)&plugin->timer, on_closed);
	if (done)
		done(plugin->ctx, r == 0 ? &credential : NULL, &err);
	exec_credential_release(&credential);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
	struct exec_plugin *plugin = process->data;

	plugin->exited = true;
	plugin->exit_status = signal ? 128 + signal : status;
	finish(plugin);
}

static void on_timer(uv_timer_t *timer)
{
	struct exec_plugin *plugin = timer->data;

	plugin->killed = true;
	uv_process_kill(&plugin->process, SIGKILL);
	/* A child of its own may hold the pipe for ever. */
	plugin->read_all = true;
	uv_read_stop((uv_stream_t *)&plugin->out);
	finish(plugin);
}

/* --- what it writes --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
	struct exec_plugin *plugin = handle->data;

	(void)suggested;
	/* One byte more than is taken, so that too much is seen; the rest falls on the last byte. */
	*ret_buf = plugin->len > EXEC_CREDENTIAL_BYTES
			   ? uv_buf_init(plugin->text, EXEC_CREDENTIAL_BYTES)
			   : uv_buf_init(plugin->text + plugin->len,
					 (unsigned int)(EXEC_CREDENTIAL_BYTES + 1 - plugin->len));
}

static void on_read(uv_stream_t *stream, ssize_t nr, const uv_buf_t *buf)
{
	struct exec_plugin *plugin = stream->data;

	(void)buf;
	if (nr >= 0) {
		if (plugin->len <= EXEC_CREDENTIAL_BYTES)
			plugin->len += (size_t)nr;
		return;
	}
	uv_read_stop(stream);
	plugin->read_all = true;
	finish(plugin);
}

/* --- the start --- */

/* Ours, what the kubeconfig adds, and KUBERNETES_EXEC_INFO; a NULL at the end. */
static char **make_env(const struct kube_config *config)
{
	const struct kube_exec *exec = &config->exec;
	cleanup(freep) char *info = exec_credential_info(config);
	size_t own_nr = 0, nr = 0;
	char **env;

	while (environ[own_nr])
		own_nr++;
	env = xcalloc(own_nr + exec->env_nr + 2, sizeof(*env));
	for (size_t i = 0; i < own_nr; i++)
		env[nr++] = xstrdup(environ[i]);
	for (size_t i = 0; i < exec->env_nr; i++)
		env[nr++] = xasprintf("%s=%s", exec->env[i].name, exec->env[i].value);
	env[nr] = xasprintf("KUBERNETES_EXEC_INFO=%s", info);
	return env;
}

static int spawn(struct exec_plugin *plugin, uv_loop_t *loop, const struct kube_config *config)
{
	const struct kube_exec *exec = &config->exec;
	char **env = make_env(config);
	char **arg = xcalloc(exec->arg_nr + 2, sizeof(*arg));
	uv_stdio_container_t io[3] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data.stream = (uv_stream_t *)&plugin->out },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 },
	};
	const uv_process_options_t options = {
		.exit_cb = on_exit_status,
		.file = exec->command,
		.args = arg,
		.env = env,
		.stdio = io,
		.stdio_count = ARRAY_SIZE(io),
	};
	int r;

	arg[0] = exec->command;
	for (size_t i = 0; i < exec->arg_nr; i++)
		arg[i + 1] = exec->arg[i];
	r = uv_spawn(loop, &plugin->process, &options);
	for (char **e = env; *e; e++)
		free(*e);
	free(env);
	free(arg);
	return r;
}

struct exec_plugin *exec_plugin_run(struct uv_loop_s *loop, const struct kube_config *config,
				    exec_plugin_done done, void *ctx, struct err *err)
{
	struct exec_plugin *plugin = xcalloc(1, sizeof(*plugin));
	const char *hint = config->exec.install_hint;
	int r;

	plugin->api_version = xstrdup(config->exec.api_version);
	plugin->command = xstrdup(config->exec.command);
	plugin->text = xmalloc(EXEC_CREDENTIAL_BYTES + 1);
	plugin->ctx = ctx;
	plugin->open_handles = 3;
	uv_pipe_init(loop, &plugin->out, 0);
	uv_timer_init(loop, &plugin->timer);
	r = spawn(plugin, loop, config);
	plugin->process.data = plugin->out.data = plugin->timer.data = plugin;
	if (r < 0) {
		err_set(err, r, "credential plugin %s: %s%s%s", plugin->command, uv_strerror(r),
			hint ? "; " : "", hint ? hint : "");
		uv_close((uv_handle_t *)&plugin->process, on_closed);
		uv_close((uv_handle_t *)&plugin->out, on_closed);
		uv_close((uv_handle_t *)&plugin->timer, on_closed);
		return NULL;
	}
	plugin->done = done;
	uv_timer_start(&plugin->timer, on_timer, PATIENCE_MS, 0);
	uv_read_start((uv_stream_t *)&plugin->out, on_alloc, on_read);
	return plugin;
}

void exec_plugin_cancel(struct exec_plugin *plugin)
{
	if (!plugin)
		return;
	plugin->done = NULL;
	uv_process_kill(&plugin->process, SIGKILL);
	plugin->read_all = true;
	uv_read_stop((uv_stream_t *)&plugin->out);
}
