/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * identity.h - which srun of a script is this?
 *
 * Step numbers do not tell: when a script begins anew, sruns that it starts at
 * the same time may get them in another order.  So each srun says what makes
 * it itself: its command line, working directory and the files that its
 * streams lead to (its place), and its environment.  The text is passed on in
 * the environment as SPANK_CR_IDENTITY.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#define CR_IDENTITY_VARIABLE "SPANK_CR_IDENTITY"
#define CR_IDENTITY_PLACE                               \
	16 /* characters of the place; then '-' and the \
	    * environment's, as many */
#define CR_IDENTITY_SIZE 40

/* Of the calling process. */
void cr_identity_make(char text[CR_IDENTITY_SIZE]);

/* Well-formed? */
int cr_identity_is_valid(const char *text);

/* Of the same place; false if one is "". */
int cr_identity_same_place(const char *a, const char *b);

#endif /* IDENTITY_H */
