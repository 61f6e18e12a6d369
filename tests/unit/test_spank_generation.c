/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spank_generation.c - folders of generations: made, listed, removed,
 * and refused when they are somebody else's
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "generation.h"
#include "manifest.h"
#include "retry.h"

struct fixture {
	char path[64];
	int dirfd, step_dirfd;
	struct cr_step step;
	struct cr_error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->path, "/tmp/test_generation.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY);
	f->step = (struct cr_step){ .job = 12, .step = 0 };
	f->step_dirfd = cr_generation_open_step(f->dirfd, &f->step, 1, &f->err);
	return f->step_dirfd < 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	close(f->dirfd);
	close(f->step_dirfd);
	free(f);
	return 0;
}

static int exists(const struct fixture *f, const char *path)
{
	return faccessat(f->dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Make the next generation, with a manifest if @is_committed. */
static uint32_t make(struct fixture *f, int is_committed)
{
	uint32_t number = 0;
	int fd = cr_generation_create(f->step_dirfd, &number, &f->err);
	int file;

	assert_true(fd >= 0);
	file = openat(fd, "node_0.img", O_CREAT | O_WRONLY, 0600);
	close(file);
	if (is_committed) {
		file = openat(fd, CR_MANIFEST_NAME, O_CREAT | O_WRONLY, 0600);
		close(file);
	}
	close(fd);
	return number;
}

static void assert_listed(struct fixture *f, const uint32_t *want, size_t nr)
{
	uint32_t *numbers = NULL;
	size_t nr_found = 0;

	assert_int_equal(cr_generation_list(f->step_dirfd, &numbers, &nr_found,
					    &f->err),
			 0);
	assert_int_equal(nr_found, nr);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(numbers[i], want[i]);
	free(numbers);
}

static void only_those_with_a_manifest_are_listed_newest_first(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 11; i++)
		make(f, 1);
	make(f, 0);
	assert_listed(f, (uint32_t[]){ 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 11);
}

static void an_attempt_that_failed_is_removed_by_the_next(void **state)
{
	struct fixture *f = *state;

	make(f, 1);
	assert_int_equal(make(f, 0), 2);
	assert_int_equal(make(f, 0), 3);
	assert_false(exists(f, "job_12/step_0/gen_2"));
	assert_true(exists(f, "job_12/step_0/gen_3"));
	assert_listed(f, (uint32_t[]){ 1 }, 1);
}

/* Another node writes to it while it is being removed. */
static void an_attempt_that_cannot_be_removed_yet_is_left(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(make(f, 0), 1);
	assert_return_code(mkdirat(f->step_dirfd, "gen_1/late", 0700), errno);
	assert_int_equal(make(f, 1), 2);
	assert_listed(f, (uint32_t[]){ 2 }, 1);
	assert_return_code(unlinkat(f->step_dirfd, "gen_1/late", AT_REMOVEDIR),
			   errno);
	assert_int_equal(make(f, 1), 3);
	assert_false(exists(f, "job_12/step_0/gen_1"));
}

/* A file system that fails for a moment: at which name, and with what. */
static const char *stat_fails_at;
static int readdir_fails_after = -1, failure;

int __real_fstatat(int fd, const char *path, struct stat *st, int flags);
int __wrap_fstatat(int fd, const char *path, struct stat *st, int flags);
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);

int __wrap_fstatat(int fd, const char *path, struct stat *st, int flags)
{
	if (!stat_fails_at || strcmp(path, stat_fails_at) != 0)
		return __real_fstatat(fd, path, st, flags);
	errno = failure;
	return -1;
}

struct dirent *__wrap_readdir(DIR *dir)
{
	if (readdir_fails_after < 0 || readdir_fails_after--)
		return __real_readdir(dir);
	errno = failure;
	return NULL;
}

static void assert_nothing_is_done(struct fixture *f, int rc)
{
	uint32_t *numbers = NULL, number = 0;
	size_t nr = 0;

	assert_int_equal(cr_generation_list(f->step_dirfd, &numbers, &nr,
					    &f->err),
			 rc);
	assert_string_not_equal(f->err.text, "");
	assert_int_equal(cr_generation_create(f->step_dirfd, &number, &f->err),
			 rc);
}

static void what_cannot_be_seen_is_not_taken_for_unfinished(void **state)
{
	static const int errors[] = { EIO, ESTALE, ENOMEM, EACCES };
	struct fixture *f = *state;

	make(f, 1);
	make(f, 1);
	stat_fails_at = "gen_2/" CR_MANIFEST_NAME;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		failure = errors[i];
		assert_nothing_is_done(f, -failure);
		assert_true(cr_generation_job_has_any(f->dirfd, &f->step));
	}
	stat_fails_at = NULL;
	assert_listed(f, (uint32_t[]){ 2, 1 }, 2);
	assert_true(exists(f, "job_12/step_0/gen_2/node_0.img"));
}

static void a_folder_that_cannot_be_read_to_its_end_is_an_error(void **state)
{
	struct fixture *f = *state;

	make(f, 1);
	make(f, 1);
	failure = EIO;
	for (int entries = 0; entries < 4; entries++) {
		uint32_t *numbers = NULL;
		size_t nr = 0;

		readdir_fails_after = entries;
		assert_int_equal(cr_generation_list(f->step_dirfd, &numbers,
						    &nr, &f->err),
				 -EIO);
	}
	readdir_fails_after = -1;
	assert_listed(f, (uint32_t[]){ 2, 1 }, 2);
}

/* Nor a link: cr_manifest_forbid(). */
static void what_is_no_folder_is_no_generation(void **state)
{
	struct fixture *f = *state;

	make(f, 1);
	close(openat(f->step_dirfd, "gen_7", O_CREAT | O_WRONLY, 0600));
	assert_return_code(mkdirat(f->step_dirfd, "gen_8", 0700), errno);
	assert_return_code(symlinkat("nothing", f->step_dirfd,
				     "gen_8/" CR_MANIFEST_NAME),
			   errno);
	assert_listed(f, (uint32_t[]){ 1 }, 1);
}

static void pruning_keeps_the_newest(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++)
		make(f, 1);
	assert_int_equal(cr_generation_prune(f->step_dirfd, 2, &f->err), 0);
	assert_listed(f, (uint32_t[]){ 5, 4 }, 2);
	assert_false(exists(f, "job_12/step_0/gen_3"));
}

static void removing_a_step_removes_empty_folders(void **state)
{
	struct fixture *f = *state;

	make(f, 1);
	make(f, 0);
	assert_int_equal(cr_generation_remove_step(f->dirfd, &f->step, &f->err),
			 0);
	assert_false(exists(f, "job_12"));
	assert_int_equal(cr_generation_remove_step(f->dirfd, &f->step, &f->err),
			 0);
}

static void removing_a_step_leaves_other_steps(void **state)
{
	struct fixture *f = *state;
	struct cr_step other = { .job = 12, .step = CR_STEP_BATCH };
	int fd = cr_generation_open_step(f->dirfd, &other, 1, &f->err);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(cr_generation_remove_step(f->dirfd, &f->step, &f->err),
			 0);
	assert_false(exists(f, "job_12/step_0"));
	assert_true(exists(f, "job_12/step_batch"));
}

static void
the_mark_of_steps_needs_a_batch_script_and_goes_with_it(void **state)
{
	struct fixture *f = *state;
	struct cr_step batch = { .job = 12, .step = CR_STEP_BATCH };

	assert_int_equal(cr_generation_mark_steps(f->dirfd, &f->step, &f->err),
			 0);
	assert_false(cr_generation_has_steps(f->dirfd, &batch));
	close(cr_generation_open_step(f->dirfd, &batch, 1, &f->err));
	assert_int_equal(cr_generation_mark_steps(f->dirfd, &f->step, &f->err),
			 0);
	assert_true(cr_generation_has_steps(f->dirfd, &batch));
	cr_generation_remove_step(f->dirfd, &f->step, &f->err);
	assert_true(cr_generation_has_steps(f->dirfd, &batch));
	cr_generation_remove_step(f->dirfd, &batch, &f->err);
	assert_false(exists(f, "job_12"));
}

static void which_steps_are_over_is_noted_for_a_script_only(void **state)
{
	struct fixture *f = *state;
	struct cr_step batch = { .job = 12, .step = CR_STEP_BATCH };
	struct cr_step other = f->step;

	other.step++;
	close(cr_generation_open_step(f->dirfd, &f->step, 1, &f->err));
	cr_generation_note_over(f->dirfd, &f->step);
	assert_false(cr_generation_is_over(f->dirfd, &f->step));
	close(cr_generation_open_step(f->dirfd, &batch, 1, &f->err));
	cr_generation_mark_steps(f->dirfd, &f->step, &f->err);
	cr_generation_note_over(f->dirfd, &f->step);
	cr_generation_remove_step(f->dirfd, &f->step, &f->err);
	assert_true(cr_generation_is_over(f->dirfd, &f->step));
	assert_false(cr_generation_is_over(f->dirfd, &other));
	cr_generation_forget_over(f->dirfd, &batch);
	assert_false(cr_generation_is_over(f->dirfd, &f->step));
}

static void marks_of_steps_that_are_over_go_with_the_job(void **state)
{
	struct fixture *f = *state;
	struct cr_step batch = { .job = 12, .step = CR_STEP_BATCH };

	close(cr_generation_open_step(f->dirfd, &batch, 1, &f->err));
	cr_generation_mark_steps(f->dirfd, &f->step, &f->err);
	cr_generation_note_over(f->dirfd, &f->step);
	cr_generation_remove_step(f->dirfd, &f->step, &f->err);
	assert_true(exists(f, "job_12/over_0"));
	cr_generation_remove_step(f->dirfd, &batch, &f->err);
	assert_false(exists(f, "job_12"));
}

static void a_restart_is_put_off_in_one_run_only(void **state)
{
	struct fixture *f = *state;
	struct cr_step batch = { .job = 12, .step = CR_STEP_BATCH };
	int fd = cr_generation_open_step(f->dirfd, &f->step, 1, &f->err);

	assert_false(cr_generation_job_is_put_off(f->dirfd, &batch, 3));
	assert_int_equal(cr_retry_note(fd, 3, &f->err), 0);
	assert_true(cr_generation_job_is_put_off(f->dirfd, &batch, 3));
	assert_false(cr_generation_job_is_put_off(f->dirfd, &batch, 4));
	close(fd);
	cr_generation_remove_step(f->dirfd, &f->step, &f->err);
	assert_false(exists(f, "job_12"));
	assert_false(cr_generation_job_is_put_off(f->dirfd, &batch, 3));
}

static void a_script_sees_what_other_components_put_off(void **state)
{
	struct fixture *f = *state;
	struct cr_step batch = { .job = 11, .step = CR_STEP_BATCH };
	int fd = cr_generation_open_step(f->dirfd, &f->step, 1, &f->err);

	assert_int_equal(cr_retry_note(fd, 3, &f->err), 0);
	close(fd);
	assert_false(cr_generation_job_is_put_off(f->dirfd, &batch, 3));
	batch.nr_components = 2; /* job 12 is the other one */
	assert_true(cr_generation_job_is_put_off(f->dirfd, &batch, 3));
	cr_generation_remove_step(f->dirfd, &f->step, &f->err);
	assert_false(cr_generation_job_is_put_off(f->dirfd, &batch, 3));
}

static void folders_of_others_are_refused(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = { .job = 13, .step = 0 };

	assert_int_equal(mkdirat(f->dirfd, "job_13", 0755), 0);
	assert_int_equal(fchmodat(f->dirfd, "job_13", 0755, 0), 0);
	assert_int_equal(cr_generation_open_step(f->dirfd, &step, 1, &f->err),
			 -EPERM);
	if (geteuid() != 0)
		return;
	fchmodat(f->dirfd, "job_13", 0700, 0);
	assert_int_equal(fchownat(f->dirfd, "job_13", 1, 1, 0), 0);
	assert_int_equal(cr_generation_open_step(f->dirfd, &step, 1, &f->err),
			 -EPERM);
}

static void links_are_not_followed(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = { .job = 13, .step = 0 };

	assert_int_equal(symlinkat("job_12", f->dirfd, "job_13"), 0);
	assert_int_equal(cr_generation_open_step(f->dirfd, &step, 1, &f->err),
			 -ENOTDIR);
	assert_int_equal(symlinkat("/tmp", f->step_dirfd, "gen_4"), 0);
	assert_int_equal(cr_generation_open(f->step_dirfd, 4, &f->err),
			 -ENOTDIR);
}

static void a_users_directory_must_be_the_users(void **state)
{
	struct fixture *f = *state;
	struct cr_config config;
	struct cr_step step = { .job = 1, .uid = 1, .gid = 1 };
	int fd;

	if (geteuid() != 0)
		skip();
	cr_config_init(&config);
	config.dir_is_users = 1;
	strcpy(config.dir, f->path); /* root's, mode 0700 */
	assert_int_equal(cr_generation_open_dir(&config, &step, &f->err),
			 -EACCES);
	assert_int_equal(chown(f->path, 1, 1), 0);
	fd = cr_generation_open_dir(&config, &step, &f->err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
}

/* Its file system may not be mounted. */
static void the_admins_directory_is_not_made(void **state)
{
	struct fixture *f = *state;
	struct cr_step step = { .job = 1 };
	struct cr_config config;
	int fd;

	cr_config_init(&config);
	snprintf(config.dir, sizeof(config.dir), "%s", f->path);
	fd = cr_generation_open_dir(&config, &step, &f->err);
	assert_true(fd >= 0);
	close(fd);
	strcat(config.dir, "/cr");
	assert_int_equal(cr_generation_open_dir(&config, &step, &f->err),
			 -ENOENT);
	assert_int_equal(access(config.dir, F_OK), -1);
}

#define SWAPS_S 2

static void touch(const struct fixture *f, const char *path)
{
	close(openat(f->dirfd, path, O_CREAT | O_WRONLY, 0600));
}

/* What the owner of DIR can do at any moment. */
static pid_t start_swapping(const struct fixture *f)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (;;)
		renameat2(f->dirfd, "job_12", f->dirfd, "link",
			  RENAME_EXCHANGE);
}

static void removing_leaves_alone_what_a_link_leads_to(void **state)
{
	struct fixture *f = *state;
	struct cr_step batch = { .job = 12, .step = CR_STEP_BATCH };
	const time_t end = time(NULL) + SWAPS_S;
	pid_t pid;

	mkdirat(f->dirfd, "others", 0700);
	assert_int_equal(symlinkat("others", f->dirfd, "link"), 0);
	pid = start_swapping(f);
	while (time(NULL) < end) {
		touch(f, "others/lock");
		touch(f, "others/has_steps");
		mkdirat(f->dirfd, "others/step_batch", 0700);
		close(cr_generation_open_step(f->dirfd, &batch, 1, NULL));
		cr_generation_remove_step(f->dirfd, &batch, NULL);
		if (!exists(f, "others/lock") ||
		    !exists(f, "others/has_steps") ||
		    !exists(f, "others/step_batch"))
			break;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(exists(f, "others/lock"));
	assert_true(exists(f, "others/has_steps"));
	assert_true(exists(f, "others/step_batch"));
}

static int check_line(struct fixture *f, const char *text)
{
	char line[16384];

	snprintf(line, sizeof(line), "%s\n", text);
	return cr_generation_check_mount_line(line, 67, &f->err);
}

#define FUSE_67 "67 29 0:62 / /mnt rw,nosuid shared:1 - fuse.sshfs "

/* The source is the user's to choose, and comes before the options. */
static void a_users_file_system_cannot_name_itself_roots(void **state)
{
	char text[12000] = FUSE_67;
	struct fixture *f = *state;

	assert_int_equal(check_line(f, FUSE_67 "h: rw,user_id=7,group_id=7"),
			 -EPERM);
	assert_non_null(strstr(f->err.text, "uid 7:"));
	assert_int_equal(check_line(f, FUSE_67 "user_id=0 rw,user_id=7"),
			 -EPERM);
	assert_int_equal(check_line(f, FUSE_67 "-\\040fuse\\040x\\040user_id=0"
					       " rw,user_id=7"),
			 -EPERM);
	assert_int_equal(check_line(f, FUSE_67 "h: rw,x=user_id=0,user_id=7"),
			 -EPERM);
	memset(text + strlen(text), 's', 10000);
	strcat(text, " rw,user_id=7");
	assert_int_equal(check_line(f, text), -EPERM);
}

static void other_file_systems_are_no_users(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check_line(f, FUSE_67 "user_id=7 rw,user_id=0"), 1);
	assert_int_equal(check_line(f, "67 1 8:1 / / rw - ext4 user_id=7 rw"),
			 1);
	assert_int_equal(check_line(f, "6 1 0:5 / /x rw - fuse x rw,user_id=7"),
			 0);
	assert_int_equal(check_line(f, "67 what is this"), 0);
}

static void enter_own_mounts(struct fixture *f)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	/* ours was the old namespace's */
	close(f->dirfd);
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* It may be of another mount namespace, by /proc/PID/root. */
static void a_mount_that_nobody_can_look_up_is_refused(void **state)
{
	struct fixture *f = *state;
	int fd;

	enter_own_mounts(f);
	assert_int_equal(mkdirat(f->dirfd, "lost", 0700), 0);
	assert_int_equal(fchdir(f->dirfd), 0);
	if (mount("x", "lost", "tmpfs", 0, NULL) < 0)
		skip();
	fd = open("lost", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cr_generation_check_mount(fd, &f->err), 0);
	assert_int_equal(umount2("lost", MNT_DETACH), 0);
	assert_int_equal(cr_generation_check_mount(fd, &f->err), -EPERM);
	close(fd);
	assert_int_equal(chdir("/"), 0);
}

/* What the user's process at the other end of /dev/fuse would say is theirs to
 * choose.  Here it says nothing: nobody may ask it. */
static void a_users_file_system_is_refused(void **state)
{
	struct fixture *f = *state;
	char options[128];
	int device, fd;

	enter_own_mounts(f);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		skip();
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=65534,group_id=65534,"
		 "allow_other",
		 device);
	assert_int_equal(mkdirat(f->dirfd, "users", 0700), 0);
	assert_int_equal(fchdir(f->dirfd), 0);
	if (mount("user_id=0", "users", "fuse", MS_NOSUID | MS_NODEV, options) <
	    0)
		skip();
	fd = open("users", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cr_generation_check_mount(f->dirfd, &f->err), 0);
	assert_int_equal(cr_generation_check_mount(fd, &f->err), -EPERM);
	assert_non_null(strstr(f->err.text, "uid 65534"));
	close(fd);
	/* nor can it be mounted where a job's folder would be */
	assert_int_equal(renameat(f->dirfd, "job_12", f->dirfd, "aside"), 0);
	assert_int_equal(mkdirat(f->dirfd, "job_12", 0700), 0);
	assert_int_equal(mount("users", "job_12", NULL, MS_MOVE, NULL), 0);
	assert_int_equal(cr_generation_open_job(f->dirfd, &f->step, &f->err),
			 -EXDEV);
	umount2("job_12", MNT_DETACH);
	close(device);
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_those_with_a_manifest_are_listed_newest_first),
		TEST(an_attempt_that_failed_is_removed_by_the_next),
		TEST(an_attempt_that_cannot_be_removed_yet_is_left),
		TEST(what_cannot_be_seen_is_not_taken_for_unfinished),
		TEST(a_folder_that_cannot_be_read_to_its_end_is_an_error),
		TEST(what_is_no_folder_is_no_generation),
		TEST(pruning_keeps_the_newest),
		TEST(removing_a_step_removes_empty_folders),
		TEST(removing_a_step_leaves_other_steps),
		TEST(the_mark_of_steps_needs_a_batch_script_and_goes_with_it),
		TEST(which_steps_are_over_is_noted_for_a_script_only),
		TEST(marks_of_steps_that_are_over_go_with_the_job),
		TEST(a_restart_is_put_off_in_one_run_only),
		TEST(a_script_sees_what_other_components_put_off),
		TEST(folders_of_others_are_refused),
		TEST(links_are_not_followed),
		TEST(removing_leaves_alone_what_a_link_leads_to),
		TEST(a_users_directory_must_be_the_users),
		TEST(the_admins_directory_is_not_made),
		TEST(a_users_file_system_cannot_name_itself_roots),
		TEST(other_file_systems_are_no_users),
		TEST(a_mount_that_nobody_can_look_up_is_refused),
		TEST(a_users_file_system_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
