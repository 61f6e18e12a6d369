/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmod_restart.c - the restart calls of /dev/cr as functions
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kmod.h"
#include "uapi/cr_ioctl.h"

/* A close is an end to the module, so the number is right before it begins. */
int cr_kmod_restart_open(int floor, struct cr_error *err)
{
	int low = open(CR_KMOD_DEVICE, O_RDWR | O_CLOEXEC), device;

	if (low < 0)
		return cr_error_errno(
			err, "the kernel engine: open " CR_KMOD_DEVICE);
	device = fcntl(low, F_DUPFD_CLOEXEC, floor);
	if (device < 0)
		cr_error_errno(err, "the kernel engine: descriptor %d", floor);
	close(low);
	return device < 0 ? err->code : device;
}

int cr_kmod_restart_begin(int device, int image_fd, const uint32_t *ghosts,
			  size_t nr_ghosts, uint32_t timeout_ms)
{
	struct cr_ioc_restart call = { .image_fd = image_fd,
				       .timeout_ms = timeout_ms,
				       .ghosts = (uintptr_t)ghosts,
				       .nr_ghosts = (uint32_t)nr_ghosts };

	return ioctl(device, CR_IOC_RESTART, &call) < 0 ? -errno : 0;
}

unsigned long cr_kmod_request(enum cr_kmod_step step)
{
	static const unsigned long requests[] = {
		[CR_KMOD_JOIN] = CR_IOC_JOIN,
		[CR_KMOD_TURN] = CR_IOC_TURN,
		[CR_KMOD_RESTORED] = CR_IOC_RESTORED,
		[CR_KMOD_SETTLE] = CR_IOC_SETTLE,
		[CR_KMOD_ARRIVE] = CR_IOC_ARRIVE,
		[CR_KMOD_RELEASE] = CR_IOC_RELEASE,
	};

	return requests[step];
}

int cr_kmod_restart_step(int device, enum cr_kmod_step step)
{
	struct cr_ioc_join join = { 0 };

	return ioctl(device, cr_kmod_request(step), &join) < 0 ? -errno : 0;
}

int cr_kmod_restart_fail(int device, int code)
{
	struct cr_ioc_fail call = { .code = code };

	return ioctl(device, CR_IOC_FAIL, &call) < 0 ? -errno : 0;
}

int cr_kmod_restart_look(int device, struct cr_kmod_look *look)
{
	struct cr_ioc_wait call = { .flags = CR_WAIT_F_NOT };

	if (ioctl(device, CR_IOC_WAIT, &call) < 0)
		return -errno;
	*look = (struct cr_kmod_look){ call.state, call.vpid, call.code };
	return 0;
}
