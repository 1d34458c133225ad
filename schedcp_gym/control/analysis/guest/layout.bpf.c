// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the fields are that the probes read: compiled on the host against the kernel's own types, never loaded.
 * In the guest, a probe then needs none of the kernel's headers, which take most of a compiler's time. The order is
 * that of FIELDS in ../program.py.
 */
#include "vmlinux.h"

#define AT(type, field) __builtin_offsetof(struct type, field)

const u32 offsets[] __attribute__((section("layout"), used)) = {
	AT(task_struct, pid),
	AT(task_struct, files),
	AT(files_struct, fdt),
	AT(fdtable, max_fds),
	AT(fdtable, fd),
	AT(file, f_inode),
	AT(inode, i_mode),
	AT(pt_regs, orig_ax),
	AT(pt_regs, di),
};

char LICENSE[] __attribute__((section("license"), used)) = "GPL";
