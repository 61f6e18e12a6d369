/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file_timerfd.c - timerfd_create(2): clock, what remains, and ticks not read
 *
 * The tree's monotonic clocks go on from where they were, so what remained
 * then remains now.  An absolute time of the wall clock stays what it was: a
 * timer whose hour has passed meanwhile expires at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "file.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define SECOND_NS 1000000000ull

struct wire_timerfd {
	uint32_t clock;
	uint32_t flags; /* of timerfd_settime(2) */
	uint64_t ticks; /* not read yet */
	uint64_t value_ns; /* what remained; 0: disarmed */
	uint64_t interval_ns;
};

static uint64_t to_ns(struct timespec time)
{
	return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static struct timespec from_ns(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / SECOND_NS),
				  .tv_nsec = (long)(ns % SECOND_NS) };
}

static int save(struct cr_file_table *table, struct cr_file *file,
		struct cr_error *err)
{
	struct wire_timerfd data = { 0 };
	uint64_t clock = 0, flags = 0;
	struct itimerspec now;
	char *text;
	int rc;

	(void)table;
	/* Brings the ticks of a periodic timer up to date; then fdinfo. */
	if (timerfd_gettime(file->fd, &now) < 0)
		return cr_error_errno(err, "timerfd_gettime");
	text = cr_file_fdinfo(0, file->fd, err);
	if (!text)
		return err ? err->code : -EIO;
	rc = cr_fdinfo_number(text, "clockid:", 10, &clock);
	if (rc == 0)
		rc = cr_fdinfo_number(text, "ticks:", 10, &data.ticks);
	if (rc == 0)
		rc = cr_fdinfo_number(text, "settime flags:", 8, &flags);
	free(text);
	if (rc < 0)
		return cr_error_set(err, -EIO, "odd fdinfo of timerfd");
	data.clock = (uint32_t)clock;
	data.flags = (uint32_t)flags;
	data.value_ns = to_ns(now.it_value);
	data.interval_ns = to_ns(now.it_interval);
	return cr_file_set_data(file, &data, sizeof(data), err);
}

static int is_wall_clock(const struct wire_timerfd *data)
{
	return (data->clock == CLOCK_REALTIME ||
		data->clock == CLOCK_REALTIME_ALARM) &&
	       data->flags & TFD_TIMER_ABSTIME;
}

static int arm(const struct cr_file_restore *restore,
	       const struct wire_timerfd *data, int fd)
{
	uint64_t value = data->value_ns, ticks = data->ticks;
	struct itimerspec spec;
	int flags = 0;

	if (value && is_wall_clock(data)) {
		value += restore->saved->head->realtime_ns;
		flags = (int)data->flags;
	}
	spec.it_value = from_ns(value);
	spec.it_interval = from_ns(data->interval_ns);
	if ((value || data->interval_ns) &&
	    timerfd_settime(fd, flags, &spec, NULL) < 0)
		return -errno;
	if (ticks && ioctl(fd, TFD_IOC_SET_TICKS, &ticks) < 0)
		return -errno;
	return 0;
}

static int make(struct cr_file_restore *restore, uint32_t id,
		struct cr_error *err)
{
	const struct cr_saved_file *saved = cr_file_saved(restore, id);
	struct wire_timerfd data;
	int fd, rc;

	if (saved->file->data_length != sizeof(data))
		return cr_error_set(err, -EBADMSG, "timerfd %u: %u bytes", id,
				    saved->file->data_length);
	memcpy(&data, saved->data, sizeof(data));
	fd = timerfd_create((clockid_t)data.clock, TFD_CLOEXEC);
	if (fd < 0)
		return cr_error_errno(err, "timerfd_create(%u)", data.clock);
	rc = arm(restore, &data, fd);
	if (rc < 0) {
		close(fd);
		return cr_error_set(err, rc, "cannot set timerfd: %s",
				    strerror(-rc));
	}
	return cr_file_park(restore, id, fd, err);
}

const struct cr_file_ops cr_file_timerfd_ops = {
	.kind = CR_FILE_TIMERFD,
	.name = "timerfd",
	.flags = O_NONBLOCK | O_ASYNC,
	.save = save,
	.make = make,
};
