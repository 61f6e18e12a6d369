/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.c - parse and check settings; see config.h
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "image_wire.h"

struct setting {
	const char *name;
	const char *variable;
	int (*set)(struct cr_config *config, const char *value,
		   struct cr_error *err);
};

static int set_on(struct cr_config *config, const char *value,
		  struct cr_error *err)
{
	if (!*value || !strcmp(value, "on") || !strcmp(value, "1"))
		config->is_on = 1;
	else if (!strcmp(value, "off") || !strcmp(value, "0"))
		config->is_on = 0;
	else
		return cr_error_set(err, -EINVAL,
				    "'%s' is neither 'on' nor 'off'", value);
	return 0;
}

static int set_path(char *path, const char *what, const char *value,
		    struct cr_error *err)
{
	if (*value != '/')
		return cr_error_set(err, -EINVAL,
				    "%s '%s' is not an absolute path", what,
				    value);
	if (strlen(value) >= CR_CONFIG_PATH_MAX)
		return cr_error_set(err, -EINVAL,
				    "%s is longer than %d characters", what,
				    CR_CONFIG_PATH_MAX - 1);
	memcpy(path, value, strlen(value) + 1);
	return 0;
}

static int set_number(unsigned int *number, const char *what, const char *unit,
		      const char *value, unsigned int min, unsigned int max,
		      struct cr_error *err)
{
	unsigned long parsed = 0;
	char *end = NULL;

	if (*value >= '0' && *value <= '9') {
		errno = 0;
		parsed = strtoul(value, &end, 10);
	}
	if (!end || *end || errno || parsed < min || parsed > max)
		return cr_error_set(err, -EINVAL,
				    "%s '%s' is not a number of %s from %u to "
				    "%u",
				    what, value, unit, min, max);
	*number = (unsigned int)parsed;
	return 0;
}

static int set_dir(struct cr_config *config, const char *value,
		   struct cr_error *err)
{
	return set_path(config->dir, "checkpoint directory", value, err);
}

static int set_interval(struct cr_config *config, const char *value,
			struct cr_error *err)
{
	return set_number(&config->interval, "interval", "seconds", value, 0,
			  CR_CONFIG_INTERVAL_MAX, err);
}

static int set_keep(struct cr_config *config, const char *value,
		    struct cr_error *err)
{
	return set_number(&config->keep, "keep", "generations", value, 1,
			  CR_CONFIG_KEEP_MAX, err);
}

static int set_compress(struct cr_config *config, const char *value,
			struct cr_error *err)
{
	if (!strcmp(value, "none"))
		config->compression = CR_COMPRESS_NONE;
	else if (!strcmp(value, "lz4"))
		config->compression = CR_COMPRESS_LZ4;
	else if (!strcmp(value, "zstd"))
		config->compression = CR_COMPRESS_ZSTD;
	else
		return cr_error_set(err, -EINVAL,
				    "compression '%s' is none of 'none', "
				    "'lz4' and 'zstd'",
				    value);
	return 0;
}

static int set_on_failure(struct cr_config *config, const char *value,
			  struct cr_error *err)
{
	if (!strcmp(value, "restart"))
		config->on_failure = CR_ON_FAILURE_RESTART;
	else if (!strcmp(value, "fail"))
		config->on_failure = CR_ON_FAILURE_FAIL;
	else
		return cr_error_set(err, -EINVAL,
				    "on-failure '%s' is neither 'restart' nor "
				    "'fail'",
				    value);
	return 0;
}

static int set_tcp(struct cr_config *config, const char *value,
		   struct cr_error *err)
{
	if (!strcmp(value, "refuse"))
		config->tcp_close = 0;
	else if (!strcmp(value, "close"))
		config->tcp_close = 1;
	else
		return cr_error_set(err, -EINVAL,
				    "tcp '%s' is neither 'refuse' nor 'close'",
				    value);
	return 0;
}

static int set_agent(struct cr_config *config, const char *value,
		     struct cr_error *err)
{
	return set_path(config->agent, "agent program", value, err);
}

static int set_log(struct cr_config *config, const char *value,
		   struct cr_error *err)
{
	return set_path(config->log, "log file", value, err);
}

static int set_poll(struct cr_config *config, const char *value,
		    struct cr_error *err)
{
	return set_number(&config->poll, "poll", "seconds", value, 0, 3600,
			  err);
}

static int set_timeout(struct cr_config *config, const char *value,
		       struct cr_error *err)
{
	return set_number(&config->timeout, "timeout", "seconds", value, 1,
			  CR_CONFIG_TIMEOUT_MAX, err);
}

static int set_retries(struct cr_config *config, const char *value,
		       struct cr_error *err)
{
	return set_number(&config->retries, "retries", "runs", value, 0,
			  CR_CONFIG_RETRIES_MAX, err);
}

static int set_seal(struct cr_config *config, const char *value,
		    struct cr_error *err)
{
	if (!strcmp(value, "yes"))
		config->seal = 1;
	else if (!strcmp(value, "no"))
		config->seal = 0;
	else
		return cr_error_set(err, -EINVAL,
				    "seal '%s' is neither 'yes' nor 'no'",
				    value);
	return 0;
}

static const struct setting settings[CR_NR_SETTINGS] = {
	[CR_SETTING_ON] = { "on", "SPANK_CR", set_on },
	[CR_SETTING_DIR] = { "dir", "SPANK_CR_DIR", set_dir },
	[CR_SETTING_INTERVAL] = { "interval", "SPANK_CR_INTERVAL",
				  set_interval },
	[CR_SETTING_KEEP] = { "keep", "SPANK_CR_KEEP", set_keep },
	[CR_SETTING_COMPRESS] = { "compress", "SPANK_CR_COMPRESS",
				  set_compress },
	[CR_SETTING_ON_FAILURE] = { "on-failure", "SPANK_CR_ON_FAILURE",
				    set_on_failure },
	[CR_SETTING_TCP] = { "tcp", "SPANK_CR_TCP", set_tcp },
	[CR_SETTING_AGENT] = { "agent", NULL, set_agent },
	[CR_SETTING_LOG] = { "log", NULL, set_log },
	[CR_SETTING_POLL] = { "poll", NULL, set_poll },
	[CR_SETTING_TIMEOUT] = { "timeout", NULL, set_timeout },
	[CR_SETTING_RETRIES] = { "retries", NULL, set_retries },
	[CR_SETTING_SEAL] = { "seal", NULL, set_seal },
};

const char *cr_setting_variable(enum cr_setting setting)
{
	return settings[setting].variable;
}

void cr_config_init(struct cr_config *config)
{
	memset(config, 0, sizeof(*config));
	config->is_on = 1;
	config->keep = CR_CONFIG_KEEP_DEFAULT;
	config->poll = CR_CONFIG_POLL_DEFAULT;
	config->timeout = CR_CONFIG_TIMEOUT_DEFAULT;
	config->retries = CR_CONFIG_RETRIES_DEFAULT;
	config->seal = 1;
	config->compression = CR_COMPRESS_NONE;
	config->on_failure = CR_ON_FAILURE_RESTART;
}

int cr_config_is_active(const struct cr_config *config)
{
	return config->is_on && config->dir[0];
}

int cr_config_set(struct cr_config *config, enum cr_setting setting,
		  const char *value, struct cr_error *err)
{
	if (!value)
		value = "";
	if (!*value && setting != CR_SETTING_ON)
		return cr_error_set(err, -EINVAL, "%s needs a value",
				    settings[setting].name);
	return settings[setting].set(config, value, err);
}

int cr_config_set_by_user(struct cr_config *config, enum cr_setting setting,
			  const char *value, struct cr_error *err)
{
	char before[CR_CONFIG_PATH_MAX];
	int rc;

	snprintf(before, sizeof(before), "%s", config->dir);
	rc = cr_config_set(config, setting, value, err);
	if (!rc && strcmp(before, config->dir) != 0)
		config->dir_is_users = 1;
	return rc;
}

static int find_setting(const char *argument, size_t length)
{
	for (int i = 0; i < CR_NR_SETTINGS; i++)
		if (strlen(settings[i].name) == length &&
		    !strncmp(settings[i].name, argument, length))
			return i;
	return -1;
}

int cr_config_parse_arguments(struct cr_config *config, int argc, char **argv,
			      struct cr_error *err)
{
	for (int i = 0; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		size_t length =
			equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
		int setting = find_setting(argv[i], length);

		if (setting < 0)
			return cr_error_set(err, -EINVAL,
					    "plugstack.conf: there is no "
					    "argument '%s'",
					    argv[i]);
		if (cr_config_set(config, (enum cr_setting)setting,
				  equals ? equals + 1 : NULL, err))
			return cr_error_prefix(err, "plugstack.conf");
	}
	return 0;
}

int cr_config_parse_environment(struct cr_config *config, cr_getenv_fn get,
				void *arg, struct cr_error *err)
{
	char value[CR_CONFIG_PATH_MAX];
	int rc;

	for (int i = 0; i < CR_NR_USER_SETTINGS; i++) {
		rc = get(arg, settings[i].variable, value, sizeof(value));
		if (rc < 0)
			return cr_error_set(err, -EINVAL, "%s is too long",
					    settings[i].variable);
		if (!rc || !*value)
			continue;
		if (cr_config_set_by_user(config, (enum cr_setting)i, value,
					  err))
			return cr_error_prefix(err, "environment variable %s",
					       settings[i].variable);
	}
	return 0;
}
