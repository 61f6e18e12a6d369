/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advice.h - what a user can do about something that cannot be saved
 */
#ifndef ADVICE_H
#define ADVICE_H

/* A sentence for the verdict @text, or "": we know of nothing. */
const char *cr_advice(const char *text);

#endif /* ADVICE_H */
