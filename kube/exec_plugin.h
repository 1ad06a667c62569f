/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_EXEC_PLUGIN_H
#define KUBE_EXEC_PLUGIN_H

/* A credential plugin of a kubeconfig, run once, without waiting for it. */

#include "kube/core/config/exec_credential.h"
#include "kube/core/config/kubeconfig.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct exec_plugin;
struct uv_loop_s;

/* `credential` is NULL, and `err` says why (with what the plugin wrote to stderr), when it failed; the credential
 * may be taken over (its members set to NULL). */
typedef void (*exec_plugin_done)(void *ctx, struct exec_credential *credential,
				 const struct err *err);

/* Start it; `ca` as in exec_credential_info().  After 30 s, or when it writes more than a credential can be, it
 * and its children are killed.  `done` is called once, unless it is cancelled.  NULL with err when it cannot
 * be started. */
struct exec_plugin *exec_plugin_run(struct uv_loop_s *loop, const struct kube_config *config,
				    const char *ca, exec_plugin_done done, void *ctx,
				    struct err *err);

/* Kill it; `done` is not called any more.  NULL is nothing. */
void exec_plugin_cancel(struct exec_plugin *plugin);

#endif
