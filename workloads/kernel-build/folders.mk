# SPDX-License-Identifier: Apache-2.0
# Builds folders of the kernel, each as the top Makefile would once it has prepared everything; one pool of jobs for all.
# The environment is that of kbuild.env, which the image's build wrote down.
MAKEFLAGS += -rR --no-print-directory

$(FOLDERS):
	+$(MAKE) -f $(srctree)/scripts/Makefile.build obj=$@ need-builtin=1

.PHONY: $(FOLDERS)
