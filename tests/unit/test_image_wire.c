// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_image_wire.c - image_wire.h is what docs/image-format.md says
 *
 * DOCUMENT is its path.  Its tables have a row for each field, which begins
 * with offset, length and name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_tcp.h"
#include "image_wire.h"

struct field {
	const char *structure, *name;
	size_t offset, length;
};

#define FIELD(structure, field)                                          \
	{                                                                \
#structure, #field,                                      \
			offsetof(struct cr_wire_##structure, field),     \
			sizeof(((struct cr_wire_##structure *)0)->field) \
	}

static const struct field fields[] = {
	/* record */
	FIELD(record, type),
	FIELD(record, flags),
	FIELD(record, vpid),
	FIELD(record, length),
	FIELD(record, crc),
	FIELD(record, reserved),
	/* head */
	FIELD(head, magic),
	FIELD(head, version),
	FIELD(head, arch),
	FIELD(head, page_size),
	FIELD(head, flags),
	FIELD(head, realtime_ns),
	FIELD(head, monotonic_ns),
	FIELD(head, boottime_ns),
	FIELD(head, xfeatures),
	FIELD(head, vdso_start),
	FIELD(head, vdso_length),
	FIELD(head, nr_cpus),
	FIELD(head, job),
	FIELD(head, step),
	FIELD(head, release),
	FIELD(head, node),
	FIELD(head, allocation),
	/* tail */
	FIELD(tail, magic),
	FIELD(tail, nr_records),
	FIELD(tail, index_offset),
	FIELD(tail, length),
	/* tree */
	FIELD(tree, nr_tasks),
	FIELD(tree, reserved),
	/* link */
	FIELD(link, vpid),
	FIELD(link, parent),
	FIELD(link, pgid),
	FIELD(link, sid),
	FIELD(link, flags),
	FIELD(link, rank),
	FIELD(link, nr_threads),
	FIELD(link, exit_status),
	/* file */
	FIELD(file, id),
	FIELD(file, kind),
	FIELD(file, flags),
	FIELD(file, open_flags),
	FIELD(file, position),
	FIELD(file, device),
	FIELD(file, inode),
	FIELD(file, size),
	FIELD(file, mtime_ns),
	FIELD(file, mode),
	FIELD(file, uid),
	FIELD(file, gid),
	FIELD(file, space),
	FIELD(file, peer),
	FIELD(file, rank),
	FIELD(file, owner),
	FIELD(file, owner_type),
	FIELD(file, owner_signal),
	FIELD(file, path_length),
	FIELD(file, data_length),
	FIELD(file, reserved),
	/* tcp */
	FIELD(tcp, family),
	FIELD(tcp, kind),
	FIELD(tcp, flags),
	FIELD(tcp, state),
	FIELD(tcp, local),
	FIELD(tcp, remote),
	FIELD(tcp, backlog),
	FIELD(tcp, error),
	FIELD(tcp, receive_timeout_us),
	FIELD(tcp, send_timeout_us),
	FIELD(tcp, linger_on),
	FIELD(tcp, linger_s),
	FIELD(tcp, send_buffer),
	FIELD(tcp, receive_buffer),
	FIELD(tcp, buffer_locks),
	FIELD(tcp, nr_waiting),
	FIELD(tcp, congestion),
	FIELD(tcp, device),
	FIELD(tcp, options_set),
	FIELD(tcp, options),
	FIELD(tcp, send_first),
	FIELD(tcp, send_length),
	FIELD(tcp, receive_end),
	FIELD(tcp, receive_length),
	FIELD(tcp, window_begin),
	FIELD(tcp, window),
	FIELD(tcp, send_window),
	FIELD(tcp, send_window_max),
	FIELD(tcp, mss),
	FIELD(tcp, send_scale),
	FIELD(tcp, receive_scale),
	FIELD(tcp, timestamp),
	/* space */
	FIELD(space, id),
	FIELD(space, kind),
	FIELD(space, start),
	FIELD(space, length),
	FIELD(space, file),
	FIELD(space, map_flags),
	FIELD(space, file_offset),
	FIELD(space, sysv_key),
	FIELD(space, sysv_id),
	FIELD(space, sysv_mode),
	FIELD(space, sysv_uid),
	FIELD(space, sysv_gid),
	FIELD(space, huge_shift),
	/* chunk */
	FIELD(chunk, space),
	FIELD(chunk, compression),
	FIELD(chunk, nr_runs),
	FIELD(chunk, data_crc),
	FIELD(chunk, raw_length),
	FIELD(chunk, stored_length),
	FIELD(chunk, data_offset),
	/* run */
	FIELD(run, address),
	FIELD(run, length),
	/* index */
	FIELD(index, nr_chunks),
	/* index_entry */
	FIELD(index_entry, offset),
	FIELD(index_entry, space),
	FIELD(index_entry, reserved),
	FIELD(index_entry, raw_length),
	/* task */
	FIELD(task, comm),
	FIELD(task, personality),
	FIELD(task, umask),
	FIELD(task, dumpable),
	FIELD(task, pdeath_signal),
	FIELD(task, child_subreaper),
	FIELD(task, thp_disabled),
	FIELD(task, oom_score_adj),
	FIELD(task, cwd),
	FIELD(task, root),
	FIELD(task, exit_signal),
	FIELD(task, itimer),
	FIELD(task, rlimit),
	/* mm */
	FIELD(mm, space),
	FIELD(mm, exe),
	FIELD(mm, start_code),
	FIELD(mm, end_code),
	FIELD(mm, start_data),
	FIELD(mm, end_data),
	FIELD(mm, start_brk),
	FIELD(mm, brk),
	FIELD(mm, start_stack),
	FIELD(mm, arg_start),
	FIELD(mm, arg_end),
	FIELD(mm, env_start),
	FIELD(mm, env_end),
	FIELD(mm, locked),
	FIELD(mm, auxv_length),
	/* vma */
	FIELD(vma, start),
	FIELD(vma, end),
	FIELD(vma, offset),
	FIELD(vma, prot),
	FIELD(vma, map_flags),
	FIELD(vma, kind),
	FIELD(vma, advice),
	FIELD(vma, file),
	FIELD(vma, space),
	/* fd */
	FIELD(fd, fd),
	FIELD(fd, file),
	FIELD(fd, cloexec),
	FIELD(fd, reserved),
	/* signals */
	FIELD(signals, action),
	FIELD(signals, nr_pending),
	FIELD(signals, reserved),
	/* timer */
	FIELD(timer, id),
	FIELD(timer, clock),
	FIELD(timer, notify),
	FIELD(timer, signal),
	FIELD(timer, value),
	FIELD(timer, tid),
	FIELD(timer, reserved),
	FIELD(timer, interval_ns),
	FIELD(timer, value_ns),
	FIELD(timer, overrun),
	/* lock */
	FIELD(lock, kind),
	FIELD(lock, type),
	FIELD(lock, fd),
	FIELD(lock, reserved),
	FIELD(lock, start),
	FIELD(lock, length),
	/* thread */
	FIELD(thread, tid),
	FIELD(thread, flags),
	FIELD(thread, comm),
	FIELD(thread, regs),
	FIELD(thread, resume),
	FIELD(thread, creds),
	FIELD(thread, sched),
	FIELD(thread, signal_mask),
	FIELD(thread, altstack_sp),
	FIELD(thread, altstack_size),
	FIELD(thread, altstack_flags),
	FIELD(thread, rseq_signature),
	FIELD(thread, rseq_pointer),
	FIELD(thread, rseq_length),
	FIELD(thread, nr_groups),
	FIELD(thread, robust_list),
	FIELD(thread, robust_list_length),
	FIELD(thread, clear_child_tid),
	FIELD(thread, xstate_length),
	FIELD(thread, nr_pending),
	/* resume */
	FIELD(resume, kind),
	FIELD(resume, nr),
	FIELD(resume, remaining_ns),
	FIELD(resume, args),
	/* sched */
	FIELD(sched, policy),
	FIELD(sched, nice),
	FIELD(sched, priority),
	FIELD(sched, io_priority),
	FIELD(sched, runtime),
	FIELD(sched, deadline),
	FIELD(sched, period),
	FIELD(sched, timer_slack_ns),
	FIELD(sched, affinity),
};

static char *read_document(void)
{
	FILE *file = fopen(DOCUMENT, "r");
	char *text = calloc(1, 1 << 20);

	if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0)
		fail_msg("cannot read %s", DOCUMENT);
	fclose(file);
	return text;
}

static void every_field_is_documented(void **state)
{
	char *text = read_document(), *at = text, row[128];

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(row, sizeof(row), "\n| %zu | %zu | %s |",
			 fields[i].offset, fields[i].length, fields[i].name);
		/* The tables are in this order too. */
		at = strstr(at, row);
		if (!at)
			fail_msg("%s has no row%s for %s", DOCUMENT, row,
				 fields[i].structure);
	}
	free(text);
}

/* What has been written must stay readable: a size never changes without a
 * new version of the format. */
static void sizes_are_those_of_version_1(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct cr_wire_record), 24);
	assert_int_equal(sizeof(struct cr_wire_head), 336);
	assert_int_equal(sizeof(struct cr_wire_tree), 8);
	assert_int_equal(sizeof(struct cr_wire_link), 32);
	assert_int_equal(sizeof(struct cr_wire_space), 64);
	assert_int_equal(sizeof(struct cr_wire_vma), 48);
	assert_int_equal(sizeof(struct cr_wire_mm), 104);
	assert_int_equal(sizeof(struct cr_wire_rlimit), 16);
	assert_int_equal(sizeof(struct cr_wire_itimer), 16);
	assert_int_equal(sizeof(struct cr_wire_task), 360);
	assert_int_equal(sizeof(struct cr_wire_sigaction), 32);
	assert_int_equal(sizeof(struct cr_wire_siginfo), 128);
	assert_int_equal(sizeof(struct cr_wire_signals), 2056);
	assert_int_equal(sizeof(struct cr_wire_timer), 56);
	assert_int_equal(sizeof(struct cr_wire_lock), 32);
	assert_int_equal(sizeof(struct cr_wire_fd), 16);
	assert_int_equal(sizeof(struct cr_wire_resume), 64);
	assert_int_equal(sizeof(struct cr_wire_regs), 216);
	assert_int_equal(sizeof(struct cr_wire_creds), 80);
	assert_int_equal(sizeof(struct cr_wire_sched), 176);
	assert_int_equal(sizeof(struct cr_wire_thread), 640);
	assert_int_equal(sizeof(struct cr_wire_file), 104);
	assert_int_equal(sizeof(struct cr_wire_tcp), 384);
	assert_int_equal(sizeof(struct cr_tcp_address), 20);
	assert_int_equal(sizeof(struct cr_wire_run), 16);
	assert_int_equal(sizeof(struct cr_wire_chunk), 40);
	assert_int_equal(sizeof(struct cr_wire_index_entry), 24);
	assert_int_equal(sizeof(struct cr_wire_index), 8);
	assert_int_equal(sizeof(struct cr_wire_tail), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_documented),
		cmocka_unit_test(sizes_are_those_of_version_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
