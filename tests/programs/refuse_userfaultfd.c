/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse_userfaultfd.c - memory whose faults the program handles itself is
 * refused by name
 */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "program.h"

int main(int argc, char **argv)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd;

	program_start(argc, argv);
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0)
		program_lacks("userfaultfd");
	NEED(ioctl(fd, UFFDIO_API, &api));
	range.range.start =
		(uintptr_t)NEED(mmap(NULL, PROGRAM_PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	range.range.len = PROGRAM_PAGE;
	NEED(ioctl(fd, UFFDIO_REGISTER, &range));
	program_expect_refusal(fd);

	program_ready();

	CHECK(ioctl(fd, UFFDIO_UNREGISTER, &range.range) == 0, "%s",
	      strerror(errno));
	return program_result();
}
