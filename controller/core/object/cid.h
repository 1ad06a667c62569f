/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_CID_H
#define CONTROLLER_CORE_OBJECT_CID_H

/* A container id in half the room: its hex digits as numbers, after a byte that says how many there are.  Pure. */

#include "lib/core/base.h"

#define CID_DIGITS_MAX 64

/* `text`: 1..CID_DIGITS_MAX lower-case hex digits.  The result is the caller's to free(). */
uint8_t *cid_pack(const char *text);

/* The digits again; the caller's to free().  NULL of NULL. */
char *cid_text(const uint8_t *cid);

/* Bytes of the packed form. */
size_t cid_bytes(const uint8_t *cid);

/* Both may be NULL. */
bool cid_equal(const uint8_t *a, const uint8_t *b);

#endif
