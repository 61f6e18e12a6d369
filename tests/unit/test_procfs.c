/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_procfs.c - parsing files below /proc/PID
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "procfs.h"

#define STATUS                                                                \
	"Name:\tState:\tZ\\nPid:\t1\n" /* as escaped by the kernel */         \
	"Umask:\t0027\nState:\tS (sleeping)\nTgid:\t70\nNgid:\t0\nPid:\t71\n" \
	"PPid:\t60\nTracerPid:\t0\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n"      \
	"FDSize:\t64\nGroups:\t10 20 4294967294 \nNStgid:\t70\t5\n"           \
	"NSpid:\t71\t6\nNSpgid:\t60\t4\nNSsid:\t50\t0\n"                      \
	"SigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\n"              \
	"SigBlk:\t0000000000000004\nSigIgn:\t0000000000000008\n"              \
	"SigCgt:\t8000000000000010\nCapInh:\t0000000000000020\n"              \
	"CapPrm:\t0000000000000040\nCapEff:\t0000000000000080\n"              \
	"CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000100\n"              \
	"NoNewPrivs:\t1\nSeccomp:\t2\n"

static void status_fields_are_found(void **state)
{
	struct cr_proc_status status;

	(void)state;
	assert_int_equal(cr_proc_parse_status(STATUS, &status), 0);
	assert_int_equal(status.state, 'S');
	assert_int_equal(status.umask, 0027);
	assert_int_equal(status.tgid, 70);
	assert_int_equal(status.pid, 71);
	assert_int_equal(status.ppid, 60);
	assert_int_equal(status.vpid, 6);
	assert_int_equal(status.vpgid, 4);
	assert_int_equal(status.vsid, 0);
	assert_int_equal(status.uid[3], 4);
	assert_int_equal(status.gid[0], 5);
	assert_int_equal(status.nr_groups, 3);
	assert_int_equal(status.groups[2], 4294967294u);
	assert_true(status.pending == 1 && status.shared_pending == 2);
	assert_true(status.blocked == 4 && status.ignored == 8);
	assert_true(status.caught == 0x8000000000000010ull);
	assert_true(status.cap_inheritable == 0x20);
	assert_true(status.cap_permitted == 0x40);
	assert_true(status.cap_effective == 0x80);
	assert_true(status.cap_bounding == 0x1ffffffffffull);
	assert_true(status.cap_ambient == 0x100);
	assert_int_equal(status.no_new_privs, 1);
	assert_int_equal(status.seccomp, 2);
	cr_proc_status_free(&status);
}

static void status_without_a_field_is_refused(void **state)
{
	static const char *const needed[] = { "Tgid",	"NSpid",  "Uid",
					      "SigIgn", "CapAmb", "Groups" };
	struct cr_proc_status status;

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		char *text = strdup(STATUS), *at = text;

		do /* a line of its own, not a part of another name */
			at = strstr(at + 1, needed[i]);
		while (at && at[-1] != '\n');
		assert_non_null(at);
		*at = 'x';
		assert_int_equal(cr_proc_parse_status(text, &status), -EINVAL);
		free(text);
	}
}

static void own_status_is_understood(void **state)
{
	struct cr_proc_status status;
	struct cr_error err = { 0 };
	char *text;

	(void)state;
	assert_int_equal(cr_proc_read(getpid(), "status", &text, NULL, &err),
			 0);
	assert_int_equal(cr_proc_parse_status(text, &status), 0);
	assert_int_equal(status.pid, getpid());
	assert_int_equal(status.ppid, getppid());
	assert_int_equal(status.uid[1], geteuid());
	assert_int_equal(status.nr_groups, getgroups(0, NULL));
	cr_proc_status_free(&status);
	free(text);
}

static void stat_survives_any_name(void **state)
{
	struct cr_proc_stat stat;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "12 (a) R 9 (b) Z");
	for (int i = 4; i <= 52; i++)
		sprintf(text + strlen(text), " %d", i);
	assert_int_equal(cr_proc_parse_stat(text, &stat), 0);
	assert_int_equal(stat.state, 'Z');
	assert_int_equal(stat.ppid, 4);
	assert_int_equal(stat.nr_threads, 20);
	assert_int_equal(stat.start_time, 22);
	assert_int_equal(stat.exit_signal, 38);
	assert_int_equal(stat.cpu, 39);
	assert_int_equal(stat.start_brk, 47);
	assert_int_equal(stat.env_end, 51);
	assert_int_equal(stat.exit_code, 52);
	*strstr(text, " 52") = '\0';
	assert_int_equal(cr_proc_parse_stat(text, &stat), -EINVAL);
	assert_int_equal(cr_proc_parse_stat("12 (a", &stat), -EINVAL);
	assert_int_equal(cr_proc_parse_stat("12 (a)", &stat), -EINVAL);
}

static void limits_are_those_of_getrlimit(void **state)
{
	struct cr_wire_rlimit limits[16];
	struct cr_error err = { 0 };
	struct rlimit limit;
	char *text;

	(void)state;
	assert_int_equal(cr_proc_read(getpid(), "limits", &text, NULL, &err),
			 0);
	assert_int_equal(cr_proc_parse_limits(text, limits), 0);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(getrlimit((__rlimit_resource_t)i, &limit), 0);
		assert_true(limits[i].current == limit.rlim_cur);
		assert_true(limits[i].maximum == limit.rlim_max);
	}
	*strstr(text, "Max open files") = 'x';
	assert_int_equal(cr_proc_parse_limits(text, limits), -EINVAL);
	free(text);
}

static void maps_are_read_one_by_one(void **state)
{
	char text[] =
		"7f0000000000-7f0000002000 rw-s 00003000 fd:1f 4711"
		"                 /a file (deleted)\n"
		"Size:                  8 kB\nKernelPageSize:        4 kB\n"
		"Rss:                   8 kB\nShared_Clean:          4 kB\n"
		"Shared_Dirty:          4 kB\nAnonymous:             4 kB\n"
		"Swap:                 12 kB\n"
		"VmFlags: rd wr sh mr mw me ms sd \n"
		"7fff00000000-7fff00001000 ---p 00000000 00:00 0 \n"
		"VmFlags: mr mw me gd \n";
	FILE *file = fmemopen(text, strlen(text), "r");
	struct cr_proc_map map;

	(void)state;
	assert_non_null(file);
	assert_int_equal(cr_proc_next_map(file, &map), 1);
	assert_true(map.start == 0x7f0000000000 && map.end == 0x7f0000002000);
	assert_true(map.offset == 0x3000 && map.inode == 4711);
	assert_true(map.major == 0xfd && map.minor == 0x1f);
	assert_int_equal(map.prot, PROT_READ | PROT_WRITE);
	assert_int_equal(map.is_shared, 1);
	assert_string_equal(map.path, "/a file (deleted)");
	assert_true(map.resident == 8192 && map.swapped == 12288);
	assert_true(map.shared == 8192 && map.anonymous == 4096);
	assert_true(cr_proc_map_has(&map, "rd"));
	assert_true(cr_proc_map_has(&map, "sd"));
	assert_false(cr_proc_map_has(&map, "gd"));
	assert_int_equal(cr_proc_next_map(file, &map), 1);
	assert_int_equal(map.prot, 0);
	assert_int_equal(map.is_shared, 0);
	assert_string_equal(map.path, "");
	assert_true(map.resident == 0);
	assert_true(cr_proc_map_has(&map, "gd"));
	assert_int_equal(cr_proc_next_map(file, &map), 0);
	fclose(file);
}

static void maps_that_are_cut_short_are_refused(void **state)
{
	char text[] = "7f0000000000-7f0000002000 rw-p 00003000 fd:1f 4711 /a\n"
		      "Size:                  8 kB\n";
	FILE *file = fmemopen(text, strlen(text), "r");
	struct cr_proc_map map;

	(void)state;
	assert_int_equal(cr_proc_next_map(file, &map), -EINVAL);
	fclose(file);
}

static void own_maps_are_in_order(void **state)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	struct cr_proc_map map;
	uint64_t last = 0;
	int nr = 0;

	(void)state;
	assert_non_null(file);
	while (cr_proc_next_map(file, &map) == 1) {
		assert_true(map.start >= last && map.end > map.start);
		last = map.end;
		nr++;
	}
	assert_true(nr > 5);
	fclose(file);
}

static void timers_are_told_apart(void **state)
{
	const char *text =
		"ID: 0\nsignal: 34/00007fff86e452a8\nnotify: signal/pid.2634\n"
		"ClockID: 0\n"
		"ID: 5\nsignal: 0/0000000000000000\nnotify: none/pid.2634\n"
		"ClockID: 1\n"
		"ID: 6\nsignal: 10/0000000000000001\nnotify: signal/tid.2635\n"
		"ClockID: -6\n";
	struct cr_proc_timer timer;

	(void)state;
	assert_int_equal(cr_proc_next_timer(&text, &timer), 1);
	assert_int_equal(timer.signal, 34);
	assert_true(timer.value == 0x7fff86e452a8);
	assert_int_equal(timer.notify, SIGEV_SIGNAL);
	assert_int_equal(cr_proc_next_timer(&text, &timer), 1);
	assert_int_equal(timer.id, 5);
	assert_int_equal(timer.notify, SIGEV_NONE);
	assert_int_equal(timer.clock, 1);
	assert_int_equal(cr_proc_next_timer(&text, &timer), 1);
	assert_int_equal(timer.notify, SIGEV_SIGNAL | SIGEV_THREAD_ID);
	assert_int_equal(timer.tid, 2635);
	assert_int_equal(timer.clock, -6);
	assert_int_equal(cr_proc_next_timer(&text, &timer), 0);
	text = "ID: 0\nsignal: 34";
	assert_int_equal(cr_proc_next_timer(&text, &timer), -EINVAL);
}

static void syscall_is_read_in_all_its_forms(void **state)
{
	struct cr_proc_syscall call;

	(void)state;
	assert_int_equal(cr_proc_parse_syscall("running\n", &call), 0);
	assert_int_equal(call.nr, -1);
	assert_int_equal(cr_proc_parse_syscall("-1 0x7ffe 0x7fff\n", &call), 0);
	assert_int_equal(call.nr, -1);
	assert_int_equal(cr_proc_parse_syscall("230 0x1 0x0 0x7f 0x0 0x9 0x6 "
					       "0x7ffe 0x7fff\n",
					       &call),
			 0);
	assert_int_equal(call.nr, 230);
	assert_int_equal(call.args[2], 0x7f);
	assert_int_equal(cr_proc_parse_syscall("?", &call), -EINVAL);
}

static void sched_is_read_or_missing(void **state)
{
	uint64_t ran_ns, nr;

	(void)state;
	assert_int_equal(
		cr_proc_parse_sched("x (1, #threads: 1)\n---\n"
				    "se.exec_start :  1693724.628122\n"
				    "nr_voluntary_switches    :    17\n",
				    &ran_ns, &nr),
		0);
	assert_true(ran_ns == 1693724628122);
	assert_true(nr == 17);
	assert_int_equal(cr_proc_parse_sched("x\n", &ran_ns, &nr), -ENOENT);
}

static void missing_process_is_named(void **state)
{
	struct cr_error err = { 0 };
	char *text;

	(void)state;
	assert_int_equal(cr_proc_read(0x3fffffff, "status", &text, NULL, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "/proc/1073741823/status"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_fields_are_found),
		cmocka_unit_test(status_without_a_field_is_refused),
		cmocka_unit_test(own_status_is_understood),
		cmocka_unit_test(stat_survives_any_name),
		cmocka_unit_test(limits_are_those_of_getrlimit),
		cmocka_unit_test(maps_are_read_one_by_one),
		cmocka_unit_test(maps_that_are_cut_short_are_refused),
		cmocka_unit_test(own_maps_are_in_order),
		cmocka_unit_test(timers_are_told_apart),
		cmocka_unit_test(syscall_is_read_in_all_its_forms),
		cmocka_unit_test(sched_is_read_or_missing),
		cmocka_unit_test(missing_process_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
