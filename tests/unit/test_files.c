/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_files.c - regular files, directories, devices, streams, locks
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/file.h>

#include "files_scene.h"

/* not in /tmp, which may be a tmpfs: what is there is saved with its content */
#define LOG "/var/tmp/cr-test-files.log"
#define SHM "/dev/shm/cr-test-files"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int same_description(int a, int b)
{
	return syscall(SYS_kcmp, getpid(), getpid(), 0, a, b) == 0;
}

static void at(int number, int fd, int flags)
{
	CHECK(fd >= 0 && fd != number);
	CHECK(dup3(fd, number, flags) == number);
	close(fd);
}

/* ---- regular files ---- */

static void open_regular(int task)
{
	if (task)
		return;
	at(10, open(LOG, O_RDWR | O_APPEND), O_CLOEXEC);
	CHECK(lseek(10, 5, SEEK_SET) == 5);
	CHECK(dup2(10, 12) == 12);
	at(11, open(LOG, O_RDONLY | O_NONBLOCK), 0);
	CHECK(lseek(11, 3, SEEK_SET) == 3);
	at(13, open(LOG, O_PATH), 0);
}

static void check_regular(int task)
{
	char text[8] = "";

	CHECK(fcntl(10, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(12, F_GETFD) == 0);
	CHECK((fcntl(10, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) ==
	      (O_RDWR | O_APPEND));
	CHECK((fcntl(11, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) ==
	      (O_RDONLY | O_NONBLOCK));
	CHECK(fcntl(13, F_GETFL) & O_PATH);
	CHECK(same_description(10, 12));
	CHECK(!same_description(10, 11));
	CHECK(fcntl(14, F_GETFD) < 0 && errno == EBADF);
	CHECK(fcntl(3, F_GETFD) < 0 && errno == EBADF);
	if (task == 0) {
		CHECK(lseek(11, 0, SEEK_CUR) == 3);
		CHECK(pread(11, text, 3, 3) == 3 && !strcmp(text, "def"));
		CHECK(lseek(10, 0, SEEK_CUR) == 5);
		CHECK(lseek(12, 7, SEEK_SET) == 7);
		shared->notes[0] = 1;
	} else {
		while (!((volatile struct scene_shared *)shared)->notes[0])
			usleep(100);
		CHECK(lseek(10, 0, SEEK_CUR) == 7);
	}
}

static void regular_files_keep_position_flags_and_sharing(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_regular,
			       .check = check_regular };

	(void)state;
	write_file(LOG, "abcdefghij");
	assert_scene(&scene);
	unlink(LOG);
}

static void shrink_log(void)
{
	assert_int_equal(truncate(LOG, 4), 0);
}

static void a_file_that_has_shrunk_is_stale(void **state)
{
	struct scene scene = { .open_all = open_regular,
			       .between = shrink_log,
			       .check = check_regular };

	(void)state;
	write_file(LOG, "abcdefghij");
	assert_scene_fails(&scene, -ESTALE,
			   LOG " has shrunk: 10 bytes when saved, 4 now");
	unlink(LOG);
}

static void remove_log(void)
{
	unlink(LOG);
}

static void a_file_that_has_vanished_is_stale(void **state)
{
	struct scene scene = { .open_all = open_regular,
			       .between = remove_log,
			       .check = check_regular };

	(void)state;
	write_file(LOG, "abcdefghij");
	assert_scene_fails(&scene, -ESTALE,
			   LOG " is gone (10 bytes when saved)");
}

static void directory_for_log(void)
{
	unlink(LOG);
	mkdir(LOG, 0700);
}

static void a_file_of_another_type_is_stale(void **state)
{
	struct scene scene = { .open_all = open_regular,
			       .between = directory_for_log,
			       .check = check_regular };

	(void)state;
	write_file(LOG, "abcdefghij");
	assert_int_equal(scene_play(&scene, &(struct cr_error){ 0 }), -EISDIR);
	rmdir(LOG);
}

static void open_private(int task)
{
	(void)task;
	at(10, open(LOG, O_RDONLY), 0);
}

static void check_private(int task)
{
	struct stat st;

	(void)task;
	CHECK(fstat(10, &st) == 0 && st.st_size == 6);
	/* Nothing of the other user's rights is left. */
	CHECK(open(LOG, O_RDWR | O_CLOEXEC) >= 0);
}

static void files_are_opened_with_the_users_rights(void **state)
{
	struct scene scene = { .open_all = open_private,
			       .check = check_private,
			       .uid = 12345 };

	(void)state;
	write_file(LOG, "secret");
	assert_int_equal(chmod(LOG, 0600), 0);
	assert_scene_fails(&scene, -EACCES, "cannot open " LOG);
	assert_int_equal(chown(LOG, 12345, 12345), 0);
	assert_scene(&scene);
	unlink(LOG);
}

/* A library that is only mapped. */
static void map_library(int task)
{
	char page[4096] = "\177ELF build one";
	int fd = open(LOG, O_RDWR | O_CREAT | O_TRUNC, 0755);

	(void)task;
	CHECK(write(fd, page, sizeof(page)) == sizeof(page));
	close(fd);
	fd = open(LOG, O_RDONLY);
	CHECK(mmap((void *)0x10000000, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED,
		   fd, 0) == (void *)0x10000000);
	close(fd);
}

static void check_library(int task)
{
	char text[16] = "";

	(void)task;
	CHECK(pread(20, text, 9, 5) == 9 && !strcmp(text, "build one"));
}

static void build_again(void)
{
	int fd = open(LOG, O_WRONLY);

	assert_int_equal(pwrite(fd, "two", 3, 11), 3);
	close(fd);
}

static void another_build_of_a_library_is_stale(void **state)
{
	struct scene scene = { .open_all = map_library,
			       .check = check_library,
			       .mapped = { { 0x10000000, 0x10001000 } } };

	(void)state;
	assert_scene(&scene);
	scene.between = build_again;
	assert_scene_fails(&scene, -ESTALE, LOG " is another build");
	unlink(LOG);
}

/* ---- contents ---- */

static void open_unlinked(int task)
{
	if (task)
		return;
	unlink(LOG);
	at(10, open(LOG, O_RDWR | O_CREAT | O_EXCL, 0640), 0);
	CHECK(fchmod(10, 0600) == 0);
	at(11, open(LOG, O_RDONLY), 0);
	unlink(LOG);
	CHECK(write(10, "hidden", 6) == 6);
	CHECK(pwrite(10, "far", 3, 1 << 20) == 3);
	CHECK(lseek(11, 2, SEEK_SET) == 2);
}

static void check_unlinked(int task)
{
	struct stat st, other;
	char text[8] = "";

	(void)task;
	CHECK(fstat(10, &st) == 0 && fstat(11, &other) == 0);
	CHECK(st.st_nlink == 0 && st.st_ino == other.st_ino);
	CHECK(st.st_size == (1 << 20) + 3 && st.st_blocks < 64);
	CHECK((st.st_mode & 07777) == 0600);
	CHECK(pread(11, text, 6, 0) == 6 && !strcmp(text, "hidden"));
	CHECK(pread(11, text, 3, 1 << 20) == 3 && !memcmp(text, "far", 3));
	CHECK(lseek(10, 0, SEEK_CUR) == 6);
	CHECK(lseek(11, 0, SEEK_CUR) == 2);
	CHECK((fcntl(11, F_GETFL) & O_ACCMODE) == O_RDONLY);
	CHECK(access(LOG, F_OK) < 0);
}

static void unlinked_files_keep_their_content(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_unlinked,
			       .check = check_unlinked };

	(void)state;
	assert_scene(&scene);
}

static void open_shm(int task)
{
	(void)task;
	at(10, open(SHM, O_RDWR | O_CREAT, 0640), 0);
	CHECK(fchmod(10, 0620) == 0);
	CHECK(ftruncate(10, 3 * 4096) == 0);
	CHECK(pwrite(10, "middle", 6, 4096) == 6);
}

static void check_shm(int task)
{
	struct stat st, named;
	char text[16] = "";

	(void)task;
	CHECK(fstat(10, &st) == 0 && stat(SHM, &named) == 0);
	CHECK(st.st_ino == named.st_ino);
	CHECK(st.st_size == 3 * 4096 && (st.st_mode & 07777) == 0620);
	CHECK(pread(10, text, 6, 4096) == 6 && !strcmp(text, "middle"));
	CHECK(pread(10, text, 4, 0) == 4 && !memcmp(text, "\0\0\0", 4));
}

static void remove_shm(void)
{
	unlink(SHM);
}

static void shared_memory_by_name_is_made_again(void **state)
{
	struct scene scene = { .open_all = open_shm,
			       .between = remove_shm,
			       .check = check_shm };

	(void)state;
	assert_scene(&scene);
	unlink(SHM);
}

static void write_shm(void)
{
	write_file(SHM, "later");
}

static void shared_memory_that_is_still_there_is_set_back(void **state)
{
	struct scene scene = { .open_all = open_shm,
			       .between = write_shm,
			       .check = check_shm };

	(void)state;
	assert_scene(&scene);
	unlink(SHM);
}

static void replace_shm(void)
{
	unlink(SHM);
	write_file(SHM, "a leftover");
}

static void a_leftover_in_shared_memory_is_replaced(void **state)
{
	struct scene scene = { .open_all = open_shm,
			       .between = replace_shm,
			       .check = check_shm };

	(void)state;
	assert_scene(&scene);
	unlink(SHM);
}

static void other_users_shm(void)
{
	replace_shm();
	assert_int_equal(chown(SHM, 12345, 12345), 0);
}

static void shared_memory_of_another_user_is_stale(void **state)
{
	struct scene scene = { .open_all = open_shm,
			       .between = other_users_shm,
			       .check = check_shm };

	(void)state;
	assert_scene_fails(&scene, -ESTALE, "another file");
	unlink(SHM);
}

static void open_read_only(int task)
{
	(void)task;
	write_file(SHM, "a program");
	at(10, open(SHM, O_RDONLY), 0);
}

/* The mode tells whose it is. */
static void put_there(const char *text)
{
	unlink(SHM);
	write_file(SHM, text);
	assert_int_equal(chmod(SHM, 0604), 0);
}

static void copy_shm(void)
{
	put_there("a program");
}

static void check_copy(int task)
{
	char text[16] = "";
	struct stat st;

	(void)task;
	CHECK(fstat(10, &st) == 0 && (st.st_mode & 07777) == 0604);
	CHECK(read(10, text, sizeof(text)) == 9 && !strcmp(text, "a program"));
}

static void a_copy_of_what_was_only_read_will_do(void **state)
{
	struct scene scene = { .open_all = open_read_only,
			       .between = copy_shm,
			       .check = check_copy };

	(void)state;
	assert_scene(&scene);
	unlink(SHM);
}

static void put_other_content(void)
{
	put_there("b program");
}

static void check_no_copy(int task)
{
	char text[16] = "";
	struct stat st;

	(void)task;
	CHECK(fstat(10, &st) == 0 && (st.st_mode & 07777) != 0604);
	CHECK(read(10, text, sizeof(text)) == 9 && !strcmp(text, "a program"));
}

static void a_file_with_other_content_is_no_copy(void **state)
{
	struct scene scene = { .open_all = open_read_only,
			       .between = put_other_content,
			       .check = check_no_copy };

	(void)state;
	assert_scene(&scene);
	unlink(SHM);
}

static void open_lost_name(int task)
{
	(void)task;
	at(10, open(LOG, O_RDWR | O_CREAT, 0640), 0);
	CHECK(mkdir(LOG ".folder", 0700) == 0);
	CHECK(link(LOG, LOG ".folder/other") == 0);
	unlink(LOG);
}

static void a_file_with_a_name_elsewhere_only_is_refused(void **state)
{
	struct scene scene = { .open_all = open_lost_name };

	(void)state;
	assert_scene_fails(&scene, -EOPNOTSUPP, "fd 10: " LOG);
	unlink(LOG ".folder/other");
	rmdir(LOG ".folder");
}

/* ---- directories, devices, eventfd ---- */

static void open_others(int task)
{
	uint64_t count = 5;

	(void)task;
	at(10, open("/usr", O_RDONLY | O_DIRECTORY), 0);
	at(11, open("/dev/zero", O_RDONLY), 0);
	at(12, eventfd(0, EFD_SEMAPHORE), 0);
	CHECK(write(12, &count, 8) == 8);
	at(13, eventfd(0, EFD_NONBLOCK), 0);
	at(499, eventfd(7, 0), O_CLOEXEC);
}

static void check_others(int task)
{
	uint64_t count = 0;
	struct stat st;
	int zero = 1;

	(void)task;
	CHECK(fstat(10, &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(read(11, &zero, sizeof(zero)) == 4 && zero == 0);
	CHECK(read(12, &count, 8) == 8 && count == 1);
	CHECK(read(12, &count, 8) == 8 && count == 1);
	CHECK(read(13, &count, 8) < 0 && errno == EAGAIN);
	CHECK(read(499, &count, 8) == 8 && count == 7);
	CHECK(fcntl(499, F_GETFD) == FD_CLOEXEC);
}

static void directories_devices_and_eventfds(void **state)
{
	struct scene scene = { .open_all = open_others, .check = check_others };

	(void)state;
	assert_scene(&scene);
}

/* ---- locks ---- */

static void open_locks(int task)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 2, .l_len = 3 };

	if (task) {
		lock.l_type = F_RDLCK;
		lock.l_start = 100 + task;
		lock.l_len = 0;
		CHECK(fcntl(10, F_SETLK, &lock) == 0);
		return;
	}
	at(10, open(LOG, O_RDWR), 0);
	at(11, open(LOG, O_RDWR), 0);
	CHECK(flock(11, LOCK_SH) == 0);
	at(12, open(LOG, O_RDWR), 0);
	/* Last: a close of the file would drop it. */
	CHECK(fcntl(10, F_SETLK, &lock) == 0);
	lock.l_start = 20;
	lock.l_len = 1;
	CHECK(fcntl(12, F_OFD_SETLK, &lock) == 0);
}

/* Lines of fdinfo that tell of locks. */
static void read_locks(int fd, char *text, size_t room)
{
	char name[64], line[128];
	FILE *in;

	text[0] = '\0';
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	in = fopen(name, "r");
	CHECK(in != NULL);
	while (fgets(line, sizeof(line), in))
		if (!strncmp(line, "lock:", 5))
			strncat(text, line, room - strlen(text) - 1);
	fclose(in);
}

static void check_locks(int task)
{
	char text[512];

	read_locks(10, text, sizeof(text));
	CHECK(strstr(text, "POSIX"));
	if (task == 0)
		CHECK(strstr(text, "WRITE") && strstr(text, " 2 4\n"));
	else
		CHECK(strstr(text, "READ") && strstr(text, " 101 EOF\n"));
	read_locks(11, text, sizeof(text));
	CHECK(strstr(text, "FLOCK") && strstr(text, "READ"));
	read_locks(12, text, sizeof(text));
	CHECK(strstr(text, "OFDLCK") && strstr(text, " 20 20\n"));
}

static void locks_of_all_kinds_are_taken_again(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_locks,
			       .check = check_locks };

	(void)state;
	write_file(LOG, "abcdefghij");
	assert_scene(&scene);
	unlink(LOG);
}

/* ---- streams ---- */

static int stream_pipe[2];

static void open_streams(int task)
{
	if (task)
		return;
	/* The holder's streams were closed: fetch them from it. */
	CHECK(dup2((int)syscall(SYS_pidfd_getfd,
				(int)syscall(SYS_pidfd_open, getppid(), 0),
				stream_pipe[1], 0),
		   1) == 1);
	CHECK(dup2(1, 2) == 2);
	at(9, dup(1), 0);
	close_range(3, 8, 0);
	close_range(10, ~0u, 0);
}

static void check_streams(int task)
{
	(void)task;
	CHECK(write(1, "one", 3) == 3);
	CHECK(write(2, "two", 3) == 3);
	CHECK(write(9, "nine", 4) == 4);
}

static void standard_streams_are_guessed(void **state)
{
	struct scene scene = { .nr_tasks = 2,
			       .open_all = open_streams,
			       .check = check_streams,
			       .guess_streams = 1 };
	char text[64] = "";
	int to[2];

	(void)state;
	assert_int_equal(pipe(stream_pipe), 0);
	assert_int_equal(pipe(to), 0);
	scene.stream = to[1];
	assert_scene(&scene);
	assert_int_equal(read(to[0], text, sizeof(text)), 20);
	close(to[0]);
	close(to[1]);
	close(stream_pipe[0]);
	close(stream_pipe[1]);
}

static void a_stream_to_elsewhere_is_refused_unless_guessed(void **state)
{
	struct scene scene = { .open_all = open_streams };

	(void)state;
	assert_int_equal(pipe(stream_pipe), 0);
	assert_scene_fails(&scene, -EOPNOTSUPP, "held outside the tree");
	close(stream_pipe[0]);
	close(stream_pipe[1]);
}

#define FOLDER "/dev/shm/cr-test-folder"

static void open_in_folder(int task)
{
	(void)task;
	CHECK(mkdir(FOLDER, 0700) == 0 && mkdir(FOLDER "/a", 0700) == 0);
	CHECK(dup2(open(FOLDER "/a/file", O_RDWR | O_CREAT, 0600), 30) == 30);
	CHECK(write(30, "content", 7) == 7);
	CHECK(mkfifo(FOLDER "/a/fifo", 0600) == 0);
	CHECK(dup2(open(FOLDER "/a/fifo", O_RDWR), 31) == 31);
}

static void remove_folder(void)
{
	unlink(FOLDER "/a/file");
	unlink(FOLDER "/a/fifo");
	rmdir(FOLDER "/a");
	rmdir(FOLDER);
}

static void check_in_folder(int task)
{
	char bytes[8] = "";
	struct stat st;

	(void)task;
	CHECK(pread(30, bytes, 8, 0) == 7 && !strcmp(bytes, "content"));
	CHECK(stat(FOLDER "/a/file", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(stat(FOLDER "/a/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(stat(FOLDER "/a", &st) == 0 && (st.st_mode & 0777) == 0700);
}

/* Another node's tmpfs has none of them. */
static void folders_of_a_tmpfs_are_made_again(void **state)
{
	struct scene scene = { .open_all = open_in_folder,
			       .between = remove_folder,
			       .check = check_in_folder };

	(void)state;
	remove_folder();
	assert_scene(&scene);
	remove_folder();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regular_files_keep_position_flags_and_sharing),
		cmocka_unit_test(a_file_that_has_shrunk_is_stale),
		cmocka_unit_test(a_file_that_has_vanished_is_stale),
		cmocka_unit_test(a_file_of_another_type_is_stale),
		cmocka_unit_test(files_are_opened_with_the_users_rights),
		cmocka_unit_test(another_build_of_a_library_is_stale),
		cmocka_unit_test(unlinked_files_keep_their_content),
		cmocka_unit_test(shared_memory_by_name_is_made_again),
		cmocka_unit_test(shared_memory_that_is_still_there_is_set_back),
		cmocka_unit_test(a_leftover_in_shared_memory_is_replaced),
		cmocka_unit_test(a_copy_of_what_was_only_read_will_do),
		cmocka_unit_test(a_file_with_other_content_is_no_copy),
		cmocka_unit_test(shared_memory_of_another_user_is_stale),
		cmocka_unit_test(a_file_with_a_name_elsewhere_only_is_refused),
		cmocka_unit_test(directories_devices_and_eventfds),
		cmocka_unit_test(locks_of_all_kinds_are_taken_again),
		cmocka_unit_test(folders_of_a_tmpfs_are_made_again),
		cmocka_unit_test(standard_streams_are_guessed),
		cmocka_unit_test(
			a_stream_to_elsewhere_is_refused_unless_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
