/* SPDX-License-Identifier: Apache-2.0 */
#include <asm-generic/posix_types.h>
