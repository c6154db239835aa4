/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's headers ask for asm/ of the machine they run on; BPF is a
 * machine of its own. The generic ones serve, wherever this is compiled. */
#include <asm-generic/types.h>
